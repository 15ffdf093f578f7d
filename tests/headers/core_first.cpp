// Copyright (c) the paxos authors. MIT licence.
#include <paxos/core.hpp>

#ifdef ASIO_VERSION
#error "paxos/core.hpp must not include Asio"
#endif

// Their addresses differ when a function is not inline but `static`: both units must see one.
const void* category_of_second_unit();

int main() { return category_of_second_unit() == &paxos::error_category() ? 0 : 1; }
