# Copyright (c) the paxos authors. MIT licence.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/paxos")

install(DIRECTORY include/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(TARGETS paxos_core paxos EXPORT paxosTargets)
install(EXPORT paxosTargets NAMESPACE paxos:: DESTINATION "${package_dir}")

configure_package_config_file(
  cmake/paxosConfig.cmake.in "${PROJECT_BINARY_DIR}/package/paxosConfig.cmake" INSTALL_DESTINATION "${package_dir}")
# Below 1.0 a minor version may break its users.
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/package/paxosConfigVersion.cmake" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
  FILES "${PROJECT_BINARY_DIR}/package/paxosConfig.cmake" "${PROJECT_BINARY_DIR}/package/paxosConfigVersion.cmake"
        cmake/FindAsio.cmake
  DESTINATION "${package_dir}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/paxos")
