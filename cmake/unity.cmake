# sluice_unite(TARGET): with SLUICE_UNITY, compiles up to so many sources of a target as one, which spares reading the same
# headers again and again. For builds that only check: optimisers see more than in the real one, and ccache finds less.
# tools/dev.d/unity_groups.py chooses which; a file that only fails there is disturbed by another one's header, and goes
# into the script's list ALONE.
set(SLUICE_UNITY 0 CACHE STRING "How many sources are compiled as one; 0: each alone")

function(sluice_unite target)
  if(NOT SLUICE_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "[.]cc$")
  list(TRANSFORM sources PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/" REGEX "^[^/]")
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/dev.d/unity_groups.py ${SLUICE_UNITY} ${sources}
                  OUTPUT_VARIABLE groups RESULT_VARIABLE status OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "the sources of ${target} could not be grouped; universal-ctags comes with 'tools/dev setup --lint'")
  endif()
  string(REPLACE "\n" ";" groups "${groups}")
  foreach(line IN LISTS groups)
    string(REGEX MATCH "^([0-9]+) (.+)$" line "${line}")
    set_source_files_properties(${CMAKE_MATCH_2} PROPERTIES UNITY_GROUP ${target}_${CMAKE_MATCH_1})
  endforeach()
  target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # takes the united files for headers
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
