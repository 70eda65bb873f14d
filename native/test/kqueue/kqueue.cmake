# Gives sock_reactor the kqueue backend on Linux, over the stand-in beside this file. What is linked
# with it has its close() wrapped, by which the stand-in hears of descriptors that go; so nobody may
# close by a system call of his own. The stand-in itself lies in the lowest layer, below all that
# close something.
set(kqueue_folder "${CMAKE_CURRENT_LIST_DIR}")

function(sock_replace layer file)
  get_target_property(sources sock_${layer} SOURCES)
  list(FILTER sources EXCLUDE REGEX "/${file}$")
  list(APPEND sources ${ARGN})
  set_property(TARGET sock_${layer} PROPERTY SOURCES "${sources}")
endfunction()

target_sources(sock_base PRIVATE "${kqueue_folder}/kqueue.cc")
target_include_directories(sock_base SYSTEM PRIVATE "${kqueue_folder}")
target_link_options(sock_base PUBLIC -Wl,--wrap=close)

sock_replace(sys uncancelled_linux.cc "${CMAKE_CURRENT_SOURCE_DIR}/src/sys/uncancelled_bsd.cc")
sock_replace(reactor backends_linux.cc
  "${kqueue_folder}/backends_kqueue.cc"
  "${CMAKE_CURRENT_SOURCE_DIR}/src/reactor/poller_kqueue.cc"
)
target_include_directories(sock_reactor SYSTEM PRIVATE "${kqueue_folder}")
