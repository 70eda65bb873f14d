# sock_layer(<name> [<layer below>...]): the library sock_<name> of the sources in src/<name>/.
#
# A platform difference is a file, chosen by its ending:
#   *_linux.cc *_epoll.cc *_eventfd.cc *_uring.cc   Linux
#   *_bsd.cc *_kqueue.cc                            macOS and the BSDs
#   *_macos.cc                                      macOS
#   *_cloexec.cc                                    Linux and the BSDs, but not macOS
#   *_none.cc                                       in place of *_uring.cc, where there is no io_uring
# Every other file is for all of them.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  include(CheckCXXSymbolExists)
  check_cxx_symbol_exists(IORING_SETUP_DEFER_TASKRUN "linux/io_uring.h" SOCK_HAS_URING_HEADERS)
  if(SOCK_HAS_URING_HEADERS)
    set(SOCK_FOREIGN_FILES "_(bsd|kqueue|macos|none)\\.cc$")
  else()
    set(SOCK_FOREIGN_FILES "_(bsd|kqueue|macos|uring)\\.cc$")
  endif()
elseif(APPLE)
  set(SOCK_FOREIGN_FILES "_(linux|epoll|eventfd|uring|cloexec)\\.cc$")
else()
  set(SOCK_FOREIGN_FILES "_(linux|epoll|eventfd|uring|macos)\\.cc$")
endif()

# For quoted includes only: with -I, our sys/socket.h would stand in for the system's <sys/socket.h>.
set(own_headers "-iquote${CMAKE_CURRENT_SOURCE_DIR}/src")

function(sock_layer name)
  list(TRANSFORM ARGN PREPEND "sock_" OUTPUT_VARIABLE below)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/${name}/*.cc")
  list(FILTER sources EXCLUDE REGEX "${SOCK_FOREIGN_FILES}")
  if(sources)
    add_library(sock_${name} STATIC ${sources})
    target_link_libraries(sock_${name} PRIVATE sock_flags PUBLIC ${below})
    target_compile_options(sock_${name} PUBLIC ${own_headers})
  else()
    # Headers only, so far or for good.
    add_library(sock_${name} INTERFACE)
    target_link_libraries(sock_${name} INTERFACE ${below})
    target_compile_options(sock_${name} INTERFACE ${own_headers})
  endif()
endfunction()
