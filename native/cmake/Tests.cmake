# One executable and one ctest entry for each test/cc/*_test.cc, over all layers.
find_package(doctest QUIET)
if(NOT doctest_FOUND)
  if("$ENV{SOCK_REQUIRE_PEERS}")
    message(FATAL_ERROR "doctest is missing: apt-get install doctest-dev")
  endif()
  add_test(NAME doctest_is_missing COMMAND "${CMAKE_COMMAND}" -E false)
  set_tests_properties(doctest_is_missing PROPERTIES SKIP_RETURN_CODE 1)
  return()
endif()

set(test_folder "${CMAKE_CURRENT_SOURCE_DIR}/test/cc")
file(GLOB support CONFIGURE_DEPENDS "${test_folder}/*.cc")
list(FILTER support EXCLUDE REGEX "(_test|/main)\\.cc$")
file(GLOB tests CONFIGURE_DEPENDS "${test_folder}/*_test.cc")

add_library(sock_test_support STATIC ${support})
target_include_directories(sock_test_support PUBLIC "${test_folder}")
target_link_libraries(sock_test_support PUBLIC sock_warnings ${layers} doctest::doctest)
add_library(sock_test_main STATIC "${test_folder}/main.cc")
target_link_libraries(sock_test_main PUBLIC sock_test_support)

foreach(source IN LISTS tests)
  get_filename_component(name "${source}" NAME_WE)
  add_executable(${name} "${source}")
  target_link_libraries(${name} PRIVATE sock_test_main)
  # What they test is in other files, and nothing here throws: compiled in two fifths of the time.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-O0> $<$<CONFIG:Debug>:-g1>)
  target_compile_definitions(${name} PRIVATE DOCTEST_CONFIG_NO_TRY_CATCH_IN_ASSERTS)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endforeach()

# A fuzzer needs clang (CONTRIBUTING.md says how it is run); what it has kept is played again by a
# test, with any compiler.
set(fuzz_folder "${CMAKE_CURRENT_SOURCE_DIR}/test/fuzz")
target_sources(tls_fuzz_test PRIVATE "${fuzz_folder}/tls_engine_fuzz.cc")
target_compile_definitions(tls_fuzz_test PRIVATE SOCK_CORPUS="${fuzz_folder}/tls_engine")
if(SOCK_SANITIZE MATCHES "fuzzer")
  add_executable(tls_engine_fuzz "${fuzz_folder}/tls_engine_fuzz.cc" "${fuzz_folder}/doctest.cc")
  target_link_libraries(tls_engine_fuzz PRIVATE sock_test_support)
  target_link_options(tls_engine_fuzz PRIVATE -fsanitize=fuzzer)
endif()
