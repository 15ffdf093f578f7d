# Copyright (c) the paxos authors. MIT licence.
#
# An overlay port: it packages the sources that it lies in.
cmake_path(SET source NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../..")
set(VCPKG_BUILD_TYPE release) # nothing but headers

vcpkg_check_features(OUT_FEATURE_OPTIONS feature_options FEATURES fmt PAXOS_WITH_FMT)
vcpkg_cmake_configure(
  SOURCE_PATH "${source}"
  OPTIONS -DPAXOS_BUILD_TESTS=OFF -DPAXOS_BUILD_EXAMPLES=OFF -DPAXOS_BUILD_BENCH=OFF
          "-DPAXOS_INSTALL_CMAKEDIR=share/${PORT}" ${feature_options})
vcpkg_cmake_install()
vcpkg_cmake_config_fixup()
vcpkg_fixup_pkgconfig()

# The licence has its place there as `copyright`.
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/licenses")
vcpkg_install_copyright(FILE_LIST "${source}/LICENSE")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
