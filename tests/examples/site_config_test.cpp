// Copyright (c) the paxos authors. MIT licence.
#include <examples/twitter/site_config.hpp>

#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace twitter;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string error_of(const std::string& text) {
  try {
    static_cast<void>(parse_site_config(text, "f.json"));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}
std::string one_site(const std::string& fields) { return R"({"sites":[{)" + fields + "}]}"; }
const std::string good = R"("id":1,"name":"alice","addr":"127.0.0.1","port":7001,"client_port":7101)";

}  // namespace

TEST_CASE("A site file is read, and an unknown id lists the known ones", "[site_config]") {
  const SiteConfig config = parse_site_config(one_site(good), "f.json");
  CHECK(config.site(1).name == "alice");
  CHECK(config.site(1).client_port == 7101);
  CHECK(config.has_name("alice"));
  CHECK_FALSE(config.has_name("bob"));
  try {
    static_cast<void>(config.site(7));
    FAIL("site 7 was found");
  } catch (const UsageError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("site 7") && ContainsSubstring("1 (alice)"));
  }
}

TEST_CASE("A mistake in a site file is named with its field", "[site_config]") {
  CHECK_THAT(error_of("{"), ContainsSubstring("f.json: not JSON"));
  CHECK_THAT(error_of("{}"), ContainsSubstring("\"sites\""));
  CHECK_THAT(error_of(R"({"sites":[]})"), ContainsSubstring("\"sites\""));
  CHECK_THAT(error_of(R"({"sites":[1]})"), ContainsSubstring("sites[0]"));
  CHECK_THAT(error_of(one_site(R"("name":"a")")), ContainsSubstring("\"id\""));
  CHECK_THAT(error_of(one_site(R"("id":0,"name":"a")")), ContainsSubstring("from 1"));
  CHECK_THAT(error_of(one_site(R"("id":1,"name":"two words","addr":"h","port":1,"client_port":2)")),
             ContainsSubstring("\"name\""));
  CHECK_THAT(error_of(one_site(R"("id":1,"name":"a","addr":"h","port":70000,"client_port":2)")),
             ContainsSubstring("65535"));
  CHECK_THAT(error_of(one_site(R"("id":1,"name":"a","addr":"h","port":5,"client_port":5)")),
             ContainsSubstring("port 5 of h appears twice"));
  CHECK_THAT(error_of(R"({"sites":[{)" + good + "},{" + good + "}]}"), ContainsSubstring("appears twice"));
  CHECK_THROWS_AS(load_site_config("/nowhere/at/all.json"), UsageError);
}

TEST_CASE("The printed address of a site can be dialled", "[site_config]") {
  CHECK(host_port("127.0.0.1", 7001) == "127.0.0.1:7001");
  CHECK(host_port("::1", 7001) == "[::1]:7001");
}
