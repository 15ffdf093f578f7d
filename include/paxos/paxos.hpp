// Copyright (c) the paxos authors. MIT licence.
#pragma once

// Everything but the simulator (paxos/sim/), which programs do not need.

#include <paxos/core.hpp>
