// Copyright (c) the paxos authors. MIT licence.
#include <paxos/paxos.hpp>

const void* category_of_second_unit();

int main() { return category_of_second_unit() == &paxos::error_category() ? 0 : 1; }
