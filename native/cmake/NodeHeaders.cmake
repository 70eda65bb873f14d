# sock_find_node_headers(<variable>): the folders that hold napi.h and the headers of Node.
#
# Node ships its own headers, libuv's and OpenSSL's as one matching set, beside its executable; that
# set is preferred to any other. No library is linked: the running node exports every symbol.
set(SOCK_NODE_INCLUDE "$ENV{SOCK_NODE_INCLUDE}" CACHE PATH "Folder of node_api.h and uv.h")
set(SOCK_NODE_HEADERS node_api.h node_version.h uv.h)

# Runs a JavaScript expression in the node that started this build, else in the one on PATH.
function(sock_ask_node expression result)
  set(node "$ENV{npm_node_execpath}")
  if(NOT node)
    find_program(SOCK_NODE node REQUIRED)
    set(node "${SOCK_NODE}")
  endif()
  execute_process(COMMAND "${node}" -p "${expression}"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${result} "${output}" PARENT_SCOPE)
endfunction()

function(sock_has_node_headers folder result)
  set(${result} TRUE PARENT_SCOPE)
  foreach(header IN LISTS SOCK_NODE_HEADERS)
    if(NOT EXISTS "${folder}/${header}")
      set(${result} FALSE PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

function(sock_find_node_headers result)
  sock_ask_node("require('node-addon-api').include_dir" napi)
  get_filename_component(napi "${napi}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")

  sock_ask_node("process.execPath" executable)
  sock_ask_node("process.versions.node" version)
  sock_ask_node("process.arch" arch)
  get_filename_component(prefix "${executable}/../.." REALPATH)
  set(candidates
    "${SOCK_NODE_INCLUDE}"
    "$ENV{npm_config_nodedir}/include/node"
    "${prefix}/include/node"
    "$ENV{HOME}/.cache/node-gyp/${version}/include/node"
    "$ENV{HOME}/.cmake-js/node-${arch}/v${version}/include/node"
  )
  foreach(folder IN LISTS candidates)
    sock_has_node_headers("${folder}" complete)
    if(complete)
      message(STATUS "Headers of Node: ${folder}")
      set(${result} "${napi}" "${folder}" PARENT_SCOPE)
      return()
    endif()
  endforeach()

  # The system's libuv, with the Node-API headers that cmake-js brings along.
  find_path(SOCK_UV_INCLUDE uv.h)
  if(SOCK_UV_INCLUDE AND CMAKE_JS_INC)
    message(STATUS "Headers of Node: ${CMAKE_JS_INC}, libuv: ${SOCK_UV_INCLUDE}")
    set(${result} "${napi}" ${CMAKE_JS_INC} "${SOCK_UV_INCLUDE}" PARENT_SCOPE)
    return()
  endif()
  list(JOIN candidates "\n  " tried)
  message(FATAL_ERROR
    "The headers of Node (${SOCK_NODE_HEADERS}) are in none of\n  ${tried}\n"
    "Set SOCK_NODE_INCLUDE to their folder, or install libuv's: apt-get install libuv1-dev")
endfunction()
