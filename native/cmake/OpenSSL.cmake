# sock_openssl: the headers of OpenSSL, and for the tests the library too. The addon links none: the
# running node exports every function.
add_library(sock_openssl INTERFACE)
if(SOCK_TESTS_ONLY)
  find_package(OpenSSL 3 REQUIRED)
  target_link_libraries(sock_openssl INTERFACE OpenSSL::SSL OpenSSL::Crypto)
else()
  target_include_directories(sock_openssl SYSTEM INTERFACE ${node_headers})
endif()
