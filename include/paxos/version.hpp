// Copyright (c) the paxos authors. MIT licence.
#pragma once

// The build reads the version from here, and nowhere else.
/// SemVer: what it promises is in docs/versioning.md.
#define PAXOS_VERSION_MAJOR 0
/// Below 1.0 interfaces may change with it.
#define PAXOS_VERSION_MINOR 1
/// Repairs alone.
#define PAXOS_VERSION_PATCH 0
