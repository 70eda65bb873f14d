# sock_flags: what every target of ours is compiled with. The tests take all of it but the ban on
# exceptions, which doctest needs.
find_package(Threads REQUIRED)

add_library(sock_warnings INTERFACE)
target_compile_options(sock_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  $<$<CONFIG:Release>:-O2>
  $<$<CONFIG:Debug>:-Og>
)
if(SOCK_WARNINGS_AS_ERRORS)
  target_compile_options(sock_warnings INTERFACE -Werror)
endif()
target_link_libraries(sock_warnings INTERFACE Threads::Threads)

if(SOCK_SANITIZE)
  # -fno-rtti rules out the vptr check of UBSan; every other finding ends the process.
  set(sanitize "-fsanitize=${SOCK_SANITIZE}")
  target_compile_options(sock_warnings INTERFACE
    ${sanitize} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(sock_warnings INTERFACE ${sanitize})
endif()
if(SOCK_COVERAGE)
  target_compile_options(sock_warnings INTERFACE --coverage)
  target_link_options(sock_warnings INTERFACE --coverage)
endif()

add_library(sock_flags INTERFACE)
target_compile_options(sock_flags INTERFACE -fno-exceptions -fno-rtti)
target_link_libraries(sock_flags INTERFACE sock_warnings)

# Link-time optimisation lets the layers stay separate files at no cost. (It does not know --wrap.)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT SOCK_SANITIZE AND NOT SOCK_COVERAGE
    AND NOT SOCK_KQUEUE_STAND_IN)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT ipo_works OUTPUT ipo_output LANGUAGES CXX)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${ipo_works})
endif()
