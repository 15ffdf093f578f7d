// Copyright (c) the paxos authors. MIT licence.
#pragma once

// The build reads the version from here, and nowhere else.
#define PAXOS_VERSION_MAJOR 0
#define PAXOS_VERSION_MINOR 1
#define PAXOS_VERSION_PATCH 0
