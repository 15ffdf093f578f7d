// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace paxos::sim {

/// A shortest part of `items` that still fails, in the sense that no single one can be left out: Zeller and
/// Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002). Gives up, with the best so far, after
/// `tries_max` runs.
[[nodiscard]] inline std::vector<std::size_t> shrunk(std::vector<std::size_t> items,
                                                     const std::function<bool(const std::vector<std::size_t>&)>& fails,
                                                     std::size_t tries_max = 500) {
  if (fails({})) return {};
  std::size_t chunk = (items.size() + 1) / 2;
  while (chunk > 0 && !items.empty()) {
    bool has_shrunk = false;
    for (std::size_t begin = 0; begin < items.size() && tries_max > 0; --tries_max) {
      std::vector<std::size_t> rest = items;
      const auto first = rest.begin() + static_cast<std::ptrdiff_t>(begin);
      rest.erase(first, first + static_cast<std::ptrdiff_t>(std::min(chunk, rest.size() - begin)));
      if (fails(rest)) {
        items = std::move(rest);
        has_shrunk = true;
      } else {
        begin += chunk;
      }
    }
    if (tries_max == 0) break;
    if (!has_shrunk) chunk /= 2;
    chunk = std::min(chunk, items.size());
  }
  return items;
}

}  // namespace paxos::sim
