include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY SLUICE_MODULES)
# The program and what it loads, without tests, benchmarks and apps.
add_custom_target(sluice_with_modules DEPENDS sluice_program ${modules})
set_target_properties(sluice PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS sluice EXPORT sluice LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ${modules} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/sluice)
install(DIRECTORY include/sluice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# The headers that sluice.h includes, under the names it includes them by.
install(DIRECTORY framework/core framework/node framework/spec framework/plan
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/framework FILES_MATCHING PATTERN "*.h")
install(FILES nodes/app_ends.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/nodes)
install(FILES framework/graph/flow_counters.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/framework/graph)
install(FILES inference/value_histogram.h inference/value_ranges.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/inference)
install(FILES inference/telemetry/readings.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/inference/telemetry)
install(FILES runtime/app_handles.h runtime/builtin.h runtime/pipeline.h runtime/report.h runtime/library.h runtime/snapshot.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/runtime)
if(CMAKE_CROSSCOMPILING)
  # A board has no cache of ours: ONNX Runtime and QNN's provider go along, beside libsluice, where they are looked for.
  install(DIRECTORY ${SLUICE_TARGET_CACHE}/onnxruntime/lib/ ${SLUICE_TARGET_CACHE}/qnn/onnxruntime_qnn/
          DESTINATION ${CMAKE_INSTALL_LIBDIR} FILES_MATCHING PATTERN "*.so*")
  install(DIRECTORY ${SLUICE_TARGET_CACHE}/onnxruntime/lib/
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/onnxruntime PATTERN "*.so*" EXCLUDE)
  install(DIRECTORY ${SLUICE_TARGET_CACHE}/qnn/onnxruntime_qnn
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc PATTERN "*.so*" EXCLUDE)
endif()
# To read and to copy; the library has them inside.
install(DIRECTORY profiles DESTINATION ${CMAKE_INSTALL_DATADIR}/sluice FILES_MATCHING PATTERN "*.yaml")
install(EXPORT sluice NAMESPACE sluice:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sluice FILE sluiceTargets.cmake)
configure_package_config_file(cmake/sluiceConfig.cmake.in ${CMAKE_BINARY_DIR}/sluiceConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sluice)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/sluiceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/sluiceConfig.cmake ${CMAKE_BINARY_DIR}/sluiceConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sluice)
