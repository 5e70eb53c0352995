# unit_test(name libs...): tests/<layer>/test_<name>.c, one executable and one CTest
# entry <layer>.<name>. The layer is the folder that calls it; it is also the label.
# timeout is what is generous on a quiet machine, in seconds; a busy one is given three times as long:
# a limit is there to end what hangs, not to judge the machine.
# Layers: unit needs only a compiler; store, flow, system, rig need real parts.
function(layer_test layer name timeout)
  math(EXPR timeout "${timeout} * 3")
  add_executable(test_${layer}_${name} test_${name}.c)
  target_link_libraries(test_${layer}_${name} PRIVATE flags ${ARGN} PkgConfig::CMOCKA)
  target_include_directories(test_${layer}_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(test_${layer}_${name} PRIVATE
    SOURCE_DIR="${CMAKE_SOURCE_DIR}" BUILD_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(test_${layer}_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${layer}.${name} COMMAND test_${layer}_${name})
  set_tests_properties(${layer}.${name} PROPERTIES LABELS ${layer} TIMEOUT ${timeout}
    SKIP_RETURN_CODE 77 ENVIRONMENT "ASAN_OPTIONS=handle_segv=2;FURROW_BUILD=${CMAKE_BINARY_DIR};FURROW_PACKS_DIR=${CMAKE_SOURCE_DIR}/tests/data/packs")
endfunction()

function(unit_test name)
  layer_test(unit ${name} 90 ${ARGN})
endfunction()

# script_test(layer name timeout): tests/<layer>/<name>.sh with FURROW_BUILD set.
function(script_test layer name timeout)
  math(EXPR timeout "${timeout} * 3")
  add_test(NAME ${layer}.${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${name}.sh)
  set_tests_properties(${layer}.${name} PROPERTIES LABELS ${layer} TIMEOUT ${timeout}
    SKIP_RETURN_CODE 77
    ENVIRONMENT "FURROW_SOURCE=${CMAKE_SOURCE_DIR};FURROW_BUILD=${CMAKE_BINARY_DIR};FURROW_PACKS_DIR=${CMAKE_SOURCE_DIR}/tests/data/packs")
endfunction()
