// Copyright (c) the paxos authors. MIT licence.
#include <paxos/client.hpp>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>

#include "node/rig.hpp"

using namespace paxos;
using namespace paxos::test;

namespace {

using Cluster = ClusterOf<FileNode>;
using LedgerClient = Client<Ledger>;

ClientConfig config_for(const Cluster& cluster) {
  ClientConfig config;
  for (const Member& member : cluster.config.members) config.addresses.push_back(member.address);
  config.request_timeout = 60s;
  return config;
}

std::future<std::error_code> outcome_of(LedgerClient& client, std::string text) {
  std::promise<std::error_code> done;
  auto answer = done.get_future();
  client.async_propose(std::move(text),
                       [done = std::move(done)](std::error_code ec, const Placed&) mutable { done.set_value(ec); });
  return answer;
}

}  // namespace

TEST_CASE("a client's command is applied and answered, whichever node it reaches", "[client][threads]") {
  Cluster cluster{3};
  for (std::size_t node = 1; node <= 3; ++node) {
    ClientConfig config = config_for(cluster);
    config.addresses = {cluster.config.members[node - 1].address};
    LedgerClient client{config};
    const std::string text = "at node " + std::to_string(node);
    CHECK(client.propose(text).text == text);
    CHECK(client.async_propose(text + ", again", asio::use_future).get().count == 2 * node);
  }
  CHECK(cluster[2].read(entries_of).size() == 6);
}

TEST_CASE("a client goes on when its node dies, and every command runs once", "[client][threads]") {
  Cluster cluster{3};
  LedgerClient client{config_for(cluster)};
  std::vector<std::future<std::error_code>> answers;
  for (int i = 0; i < 2000; ++i) {
    answers.push_back(outcome_of(client, std::to_string(i)));
    if (i == 1000) {
      CHECK_FALSE(answers[100].get());  // some are answered, some are under way
      cluster.stop(1);
    }
  }
  for (std::size_t i = 0; i < answers.size(); ++i)
    if (answers[i].valid()) CHECK_FALSE(answers[i].get());
  const Ledger ledger = cluster[2].read([](const Ledger& state) { return state; });
  CHECK(ledger.entries.size() == 2000);
  for (int i = 0; i < 2000; ++i) REQUIRE(ledger.count(std::to_string(i)) == 1);
}

TEST_CASE("without a quorum a client says unknown for what left it, and not applied for what did not", "[client]") {
  Cluster cluster{3, false};
  cluster.config.request_timeout = 60s;
  cluster.start(1);
  ClientConfig config = config_for(cluster);
  config.request_timeout = 500ms;
  config.addresses.resize(1);
  LedgerClient client{config};
  CHECK(outcome_of(client, "nobody else is there").get() == Outcome::unknown);
  cluster.stop(1);
  LedgerClient late{config};
  CHECK(outcome_of(late, "nobody is there").get() == Outcome::not_applied);
}

TEST_CASE("a command that no node would take is refused by the client, and the others do not suffer", "[client]") {
  Cluster cluster{1};
  ClientConfig config = config_for(cluster);
  config.command_bytes_max = 1000;
  LedgerClient client{config};
  auto large = outcome_of(client, std::string(2000, 'x'));
  auto small = outcome_of(client, "small");
  CHECK(large.get() == Errc::too_large);
  CHECK_FALSE(small.get());
}

TEST_CASE("a client may be destroyed inside its own handler, and by one that never stops asking", "[client][threads]") {
  Cluster cluster{1};
  auto client = std::make_shared<LedgerClient>(config_for(cluster));
  std::promise<void> gone;
  client->async_propose("last", [&gone, holder = std::make_unique<std::shared_ptr<LedgerClient>>(client)](
                                    std::error_code, const Placed&) mutable {
    holder.reset();
    gone.set_value();
  });
  client.reset();
  gone.get_future().wait();

  struct Stubborn {
    LedgerClient* client;
    void operator()(std::error_code, const Placed&) const { client->async_propose("again", Stubborn{client}); }
  };
  LedgerClient asked{config_for(cluster)};
  asked.async_propose("first", Stubborn{&asked});
  CHECK_FALSE(outcome_of(asked, "beside").get());
}

TEST_CASE("a handler that throws costs nobody else an answer", "[client]") {
  Cluster cluster{1};
  LedgerClient client{config_for(cluster)};
  client.async_propose("throws", [](std::error_code, const Placed&) { throw std::runtime_error("thrown by a test"); });
  for (int i = 0; i < 10; ++i) CHECK_FALSE(outcome_of(client, std::to_string(i)).get());
}

TEST_CASE("a blocking call in a client's own handler fails instead of waiting for itself", "[client]") {
  Cluster cluster{1};
  LedgerClient client{config_for(cluster)};
  std::promise<std::error_code> done;
  client.async_propose("outer", [&](std::error_code, const Placed&) {
    std::error_code ec;
    (void)client.propose("inner", ec);
    done.set_value(ec);
  });
  CHECK(done.get_future().get() == Errc::would_deadlock);
}

TEST_CASE("a client's configuration is checked, and the text names the field and a cure", "[client]") {
  CHECK_THROWS_AS(LedgerClient{ClientConfig{}}, ConfigError);
  CHECK_THROWS_AS((LedgerClient{ClientConfig{.addresses = {"no port"}}}), ConfigError);
  CHECK_THROWS_AS((LedgerClient{ClientConfig{.addresses = {"127.0.0.1:1"}, .request_timeout = 0ms}}), ConfigError);
}
