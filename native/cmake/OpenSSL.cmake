# sock_openssl: the headers of OpenSSL, and for the tests the library too. The addon links none: the
# running node exports every function.
add_library(sock_openssl INTERFACE)
if(SOCK_TESTS_ONLY)
  find_package(OpenSSL 3 REQUIRED)
  # All references are weak (openssl_weak.h), for which a linker that keeps only what is needed would
  # drop the library.
  target_link_options(sock_openssl INTERFACE LINKER:--no-as-needed)
  target_link_libraries(sock_openssl INTERFACE OpenSSL::SSL OpenSSL::Crypto)
else()
  target_include_directories(sock_openssl SYSTEM INTERFACE ${node_headers})
endif()
