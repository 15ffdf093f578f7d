# Copyright (c) the paxos authors. MIT licence.
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import load

required_conan_version = ">=2.0.9"


class PaxosConan(ConanFile):
    name = "paxos"
    license = "MIT"
    author = "the paxos authors"
    description = "Header-only Multi-Paxos for C++20: durable, linearizable, exactly once"
    topics = ("paxos", "consensus", "replication", "distributed-systems", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_fmt": [True, False], "core_only": [True, False]}
    default_options = {"with_fmt": True, "core_only": False}
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*"
    no_copy_source = True

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, "include", "paxos", "version.hpp"))
        self.version = ".".join(re.findall(r"#define PAXOS_VERSION_\w+ (\d+)", text))

    def config_options(self):
        if self.options.core_only:
            del self.options.with_fmt

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        if self.options.core_only:
            return
        self.requires("asio/[>=1.22 <2]", transitive_headers=True)
        self.requires("cereal/[>=1.3.2 <2]", transitive_headers=True)
        if self.options.with_fmt:
            self.requires("fmt/[>=9.1 <12]", transitive_headers=True)

    def package_id(self):
        # The headers are the same for every setting and requirement. The options stay: they decide what the CMake files
        # of the package ask for (docs/decisions/0013-one-package-for-all-settings.md).
        self.info.settings.clear()
        self.info.requires.clear()

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os == "Windows" and not self.options.core_only:
            raise ConanInvalidConfiguration("paxos has files and sockets for POSIX only; for Windows: -o 'paxos/*:core_only=True'")

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["PAXOS_BUILD_TESTS"] = False
        toolchain.cache_variables["PAXOS_BUILD_EXAMPLES"] = False
        toolchain.cache_variables["PAXOS_BUILD_BENCH"] = False
        toolchain.cache_variables["PAXOS_CORE_ONLY"] = bool(self.options.core_only)
        toolchain.cache_variables["PAXOS_WITH_FMT"] = bool(self.options.get_safe("with_fmt", False))
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()

    def package_info(self):
        # The package's own CMake files serve: they define paxos::core and paxos::paxos, and find what those need, from
        # other packages or from the system.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "paxos")]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        if self.settings.os in ("Linux", "FreeBSD") and not self.options.core_only:
            self.cpp_info.system_libs = ["pthread"]
