// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core.hpp>

const std::error_category& category_of_other_unit();
const std::error_category& category_of_other_unit() { return paxos::error_category(); }
