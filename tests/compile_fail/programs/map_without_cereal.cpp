// Copyright (c) the paxos authors. MIT licence.
// expect: give it a member serialize(Archive&), or include <paxos/cereal.hpp>
// expect: is_left_to_cereal<std::map<int, int
#include <map>

#include <paxos/core.hpp>

// paxos/core.hpp knows no std::map: the error must say which header is missing.
paxos::Bytes must_not_compile(const std::map<int, int>& numbers) { return paxos::encoded(numbers); }
