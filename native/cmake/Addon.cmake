# sock_native.node: the binding over all layers. The only target that sees the headers of Node.
file(GLOB binding CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/binding/*.cc")
add_library(sock_native MODULE ${binding})
set_target_properties(sock_native PROPERTIES PREFIX "" SUFFIX ".node")
target_include_directories(sock_native SYSTEM PRIVATE ${node_headers})
target_compile_definitions(sock_native PRIVATE
  NAPI_VERSION=9
  NODE_GYP_MODULE_NAME=sock_native
  NAPI_DISABLE_CPP_EXCEPTIONS
)
target_link_libraries(sock_native PRIVATE sock_flags ${layers})

if(APPLE)
  target_link_options(sock_native PRIVATE -Wl,-undefined,dynamic_lookup)
else()
  # now: a runtime that lacks a symbol says so when the addon is loaded, not by dying at the first
  # call. nodelete: threads of ours may outlive the last environment that loaded the addon.
  target_link_options(sock_native PRIVATE -Wl,-z,now -Wl,-z,nodelete)
endif()
