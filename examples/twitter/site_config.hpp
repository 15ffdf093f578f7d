// Copyright (c) the paxos authors. MIT licence.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "text.hpp"

namespace twitter {

/// What the user wrote cannot be followed. The text names the field, the rule and a cure.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Site {
  std::uint64_t id = 0;
  std::string name;  ///< the user that speaks when a request names none
  std::string addr;
  std::uint16_t port = 0;         ///< where the other sites connect
  std::uint16_t client_port = 0;  ///< where clients connect
};

/// "host:port", with brackets around an IPv6 address.
[[nodiscard]] inline std::string host_port(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

/// The file that servers and clients share.
struct SiteConfig {
  std::string file;
  std::string cluster = "twitter";
  std::vector<Site> sites;

  /// Throws UsageError when there is none of that id; the text lists those that there are.
  [[nodiscard]] const Site& site(std::uint64_t id) const {
    for (const Site& site : sites) {
      if (site.id == id) return site;
    }
    std::string known;
    for (const Site& site : sites) known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", site.id, site.name);
    throw UsageError(fmt::format("site {} is not in {}; known are {}", id, file, known));
  }
  [[nodiscard]] bool has_name(const std::string& name) const {
    for (const Site& site : sites) {
      if (site.name == name) return true;
    }
    return false;
  }
};

namespace detail {

[[nodiscard]] inline std::string site_text(const nlohmann::json& site, const std::string& where, const char* field) {
  const auto found = site.find(field);
  if (found == site.end() || !found->is_string() || found->get<std::string>().empty()) {
    throw UsageError(fmt::format("{}: \"{}\" must be a string that is not empty", where, field));
  }
  return found->get<std::string>();
}

[[nodiscard]] inline std::uint64_t site_number(const nlohmann::json& site, const std::string& where, const char* field,
                                               std::uint64_t most) {
  const auto found = site.find(field);
  if (found == site.end() || !found->is_number_unsigned() || *found == 0 || *found > most) {
    throw UsageError(fmt::format("{}: \"{}\" must be an integer from 1 to {}", where, field, most));
  }
  return found->get<std::uint64_t>();
}

[[nodiscard]] inline Site site_of(const nlohmann::json& object, const std::string& where) {
  if (!object.is_object()) throw UsageError(where + " must be an object with id, name, addr, port and client_port");
  Site site;
  site.id = site_number(object, where, "id", INT64_MAX);
  site.name = site_text(object, where, "name");
  site.addr = site_text(object, where, "addr");
  site.port = static_cast<std::uint16_t>(site_number(object, where, "port", 65535));
  site.client_port = static_cast<std::uint16_t>(site_number(object, where, "client_port", 65535));
  if (!is_name(site.name)) {
    throw UsageError(
        fmt::format("{}: \"name\" must be 1 to 64 bytes of UTF-8 without spaces or control characters", where));
  }
  return site;
}

}  // namespace detail

/// The text of the file; `file` only names it in errors. Throws UsageError.
[[nodiscard]] inline SiteConfig parse_site_config(const std::string& text, const std::string& file) {
  nlohmann::json root;
  try {
    root = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(fmt::format("{}: not JSON: {}", file, error.what()));
  }
  SiteConfig config;
  config.file = file;
  if (!root.is_object() || !root.contains("sites") || !root["sites"].is_array() || root["sites"].empty() ||
      root["sites"].size() > 9) {
    throw UsageError(file + ": \"sites\" must be a list of 1 to 9 sites, each with id, name, addr, port, client_port");
  }
  if (root.contains("cluster")) config.cluster = detail::site_text(root, file, "cluster");
  std::set<std::uint64_t> ids;
  std::set<std::string> names;
  std::set<std::pair<std::string, std::uint16_t>> ports;
  for (const auto& object : root["sites"]) {
    const std::string where = fmt::format("{}: sites[{}]", file, config.sites.size());
    const Site site = detail::site_of(object, where);
    if (!ids.insert(site.id).second) throw UsageError(fmt::format("{}: \"id\" {} appears twice", where, site.id));
    if (!names.insert(site.name).second) {
      throw UsageError(
          fmt::format("{}: \"name\" {} appears twice; each site speaks as a user of its own", where, site.name));
    }
    for (const std::uint16_t port : {site.port, site.client_port}) {
      if (!ports.insert({site.addr, port}).second) {
        throw UsageError(fmt::format("{}: port {} of {} appears twice; peers and clients need ports of their own",
                                     where, port, site.addr));
      }
    }
    config.sites.push_back(site);
  }
  return config;
}

[[nodiscard]] inline SiteConfig load_site_config(const std::string& file) {
  std::ifstream in{file, std::ios::binary};
  if (!in) throw UsageError(file + ": cannot be read; --config names a file such as examples/twitter/config.json");
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  return parse_site_config(text, file);
}

}  // namespace twitter
