# Copyright (c) the paxos authors. MIT licence.
#
# What is installed can be moved: CMake's files and those of pkg-config find everything from where they are.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(PAXOS_INSTALL_CMAKEDIR "${CMAKE_INSTALL_DATADIR}/cmake/paxos" CACHE STRING "Where the CMake files are installed")
set(pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

install(DIRECTORY include/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/paxos")

# Two sets: who asks for the component core alone needs none of what the other set names.
install(TARGETS paxos_core EXPORT paxosCoreTargets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT paxosCoreTargets NAMESPACE paxos:: DESTINATION "${PAXOS_INSTALL_CMAKEDIR}")
if(NOT PAXOS_CORE_ONLY)
  install(TARGETS paxos EXPORT paxosTargets)
  install(EXPORT paxosTargets NAMESPACE paxos:: DESTINATION "${PAXOS_INSTALL_CMAKEDIR}")
  install(FILES cmake/FindAsio.cmake DESTINATION "${PAXOS_INSTALL_CMAKEDIR}")
endif()

configure_package_config_file(
  cmake/paxosConfig.cmake.in "${PROJECT_BINARY_DIR}/package/paxosConfig.cmake" INSTALL_DESTINATION "${PAXOS_INSTALL_CMAKEDIR}")
# Below 1.0 a minor version may break its users.
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/package/paxosConfigVersion.cmake" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
  FILES "${PROJECT_BINARY_DIR}/package/paxosConfig.cmake" "${PROJECT_BINARY_DIR}/package/paxosConfigVersion.cmake"
  DESTINATION "${PAXOS_INSTALL_CMAKEDIR}")

# pkg-config. Asio and cereal have no files of their own everywhere: the compiler must find their headers by itself.
file(RELATIVE_PATH includedir_from_pkgconfig "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
set(paxos_requires "paxos-core = ${PROJECT_VERSION}")
if(PAXOS_WITH_FMT)
  string(APPEND paxos_requires ", fmt")
endif()
set(modules paxos-core)
if(NOT PAXOS_CORE_ONLY)
  list(APPEND modules paxos)
endif()
foreach(module IN LISTS modules)
  configure_file("cmake/${module}.pc.in" "${PROJECT_BINARY_DIR}/package/${module}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/package/${module}.pc" DESTINATION "${pkgconfig_dir}")
endforeach()
