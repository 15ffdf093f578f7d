// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <string>

namespace paxos {

/// What a refusal means to a program. The value is the byte on the wire.
enum class RefusalCode : std::uint8_t {
  none = 0,
  other = 1,
  outdated = 2,  ///< a newer life of that data directory was met: the node on it must stop for good
};

/// Why somebody is not let in: the rule and the cure, for a person to read. Without a text: welcome.
struct Refusal {
  std::string text = {};  ///< who, why, and what to do; empty: come in
  RefusalCode code = text.empty() ? RefusalCode::none : RefusalCode::other;  ///< what a program does about it

  [[nodiscard]] bool is_welcome() const { return text.empty(); }  ///< nothing speaks against it
};

}  // namespace paxos
