include(cmake/emulated.cmake)
include(cmake/unity.cmake)

# sluice_room(NAME SOURCES a.cc ... [USES other rooms] [LINKS libraries] [PRIVATE_LINKS libraries])
# One static library per room: a room that uses what it does not name fails to link in its tests.
function(sluice_room name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(sluice_${name} STATIC ${arg_SOURCES})
  sluice_unite(sluice_${name})
  target_include_directories(sluice_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  list(TRANSFORM arg_USES PREPEND sluice_)
  target_link_libraries(sluice_${name} PUBLIC ${arg_USES} ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
  set_property(GLOBAL APPEND PROPERTY SLUICE_ROOMS sluice_${name})
endfunction()

# sluice_module(NAME SOURCES ... LINKS ...): a part of the library that is loaded only when a pipeline needs it,
# because it brings large libraries with it. Lies beside libsluice in lib/sluice.
function(sluice_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_library(sluice_${name}_module MODULE ${arg_SOURCES})
  sluice_unite(sluice_${name}_module)
  set_target_properties(sluice_${name}_module PROPERTIES PREFIX "" OUTPUT_NAME sluice_${name}
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/sluice
                        BUILD_RPATH "$ORIGIN/.." INSTALL_RPATH "$ORIGIN/..")
  target_include_directories(sluice_${name}_module PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(sluice_${name}_module PRIVATE sluice ${arg_LINKS})
  set_property(GLOBAL APPEND PROPERTY SLUICE_MODULES sluice_${name}_module)
endfunction()

# sluice_test(NAME SOURCES ... [USES rooms, or `sluice` for the whole library] [LINKS ...] [LABELS ...])
# A GoogleTest program; each of its tests becomes a CTest test. Runs in the source folder. Target tests_LABEL builds
# all programs of a label. With SLOW, suites whose name ends in Slow get the label `slow` instead. In a cross build the
# program is one CTest test, without what tests/emulated.txt leaves out (cmake/emulated.cmake).
function(sluice_test name)
  cmake_parse_arguments(arg "SLOW" "TIMEOUT" "SOURCES;USES;LINKS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  sluice_unite(${name})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  list(TRANSFORM arg_USES REPLACE "^(.+)$" "sluice_\\1")
  list(TRANSFORM arg_USES REPLACE "^sluice_sluice$" "sluice")
  target_link_libraries(${name} PRIVATE ${arg_USES} ${arg_LINKS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(CMAKE_CROSSCOMPILING)
    sluice_emulated_test(${name} TIMEOUT ${arg_TIMEOUT} LABELS ${arg_LABELS})
    return()
  endif()
  foreach(label IN LISTS arg_LABELS)
    if(NOT TARGET tests_${label})
      add_custom_target(tests_${label})
    endif()
    add_dependencies(tests_${label} ${name})
  endforeach()
  set(quick)
  if(arg_SLOW)
    set(quick TEST_FILTER "-*Slow.*")
    gtest_discover_tests(${name} NO_PRETTY_VALUES WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_TIMEOUT 60
                         TEST_FILTER "*Slow.*"
                         PROPERTIES LABELS slow TIMEOUT 3600)
  endif()
  gtest_discover_tests(${name} NO_PRETTY_VALUES WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_TIMEOUT 60 ${quick}
                       PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
