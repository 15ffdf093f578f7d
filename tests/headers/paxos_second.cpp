// Copyright (c) the paxos authors. MIT licence.
#include <paxos/paxos.hpp>

const void* category_of_second_unit();
const void* category_of_second_unit() { return &paxos::error_category(); }
