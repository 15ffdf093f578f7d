// Copyright (c) the paxos authors. MIT licence.
//
// docs/quickstart.md, played: what it says that its programs print, they print.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "cluster.hpp"

using namespace examples;
using Catch::Matchers::StartsWith;

namespace {

/// One `kv`, asked as at its prompt.
class Prompt {
 public:
  Prompt(const std::string& directory, std::size_t id, const std::string& addresses)
      : input_file_(directory + "/in-" + std::to_string(id)), output_file_(directory + "/out-" + std::to_string(id)) {
    ::unlink(output_file_.c_str());
    if (::mkfifo(input_file_.c_str(), 0600) != 0 && errno != EEXIST) throw std::runtime_error("mkfifo failed");
    input_ = ::open(input_file_.c_str(), O_RDWR | O_CLOEXEC);  // both ways, so that it does not wait for the program
    Process::Line line;
    line.arguments = {"/bin/sh", "-c", "cd " + directory + " && exec " KV " " + std::to_string(id) + addresses};
    line.input_file = input_file_;
    line.output_file = output_file_;
    process_ = std::make_unique<Process>(line);
  }
  Prompt(const Prompt&) = delete;
  Prompt& operator=(const Prompt&) = delete;
  ~Prompt() { ::close(input_); }

  std::string ask(const std::string& line) {
    const std::string request = line + '\n';
    REQUIRE(::write(input_, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
    std::string answer;
    REQUIRE(eventually(std::chrono::seconds{60}, [&] {
      const std::string all = contents_of(output_file_);
      const auto end = all.find('\n', read_);
      if (end == std::string::npos) return false;
      answer = all.substr(read_, end - read_);
      read_ = end + 1;
      return true;
    }));
    return answer;
  }
  /// The id after "leader " in the answer to `status`.
  std::size_t leader() {
    const std::string status = ask("status");
    return std::stoul(status.substr(status.find("leader ", status.find(',')) + 7));
  }

 private:
  std::string input_file_;
  std::string output_file_;
  int input_ = -1;
  std::size_t read_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace

TEST_CASE("quickstart: three nodes, two of which die", "[examples]") {
  TemporaryDirectory directory;
  std::string addresses;
  for (int i = 0; i < 3; ++i) addresses += " 127.0.0.1:" + std::to_string(free_port());
  std::vector<std::unique_ptr<Prompt>> nodes(4);
  const auto start = [&](std::size_t id) { nodes[id] = std::make_unique<Prompt>(directory.path(""), id, addresses); };
  for (std::size_t id = 1; id <= 3; ++id) start(id);

  CHECK(nodes[1]->ask("put colour red") == "put; before: nothing");
  CHECK(nodes[2]->ask("put colour blue") == "put; before: red");
  CHECK(nodes[3]->ask("get colour") == "blue");
  const std::size_t first = nodes[3]->leader();
  CHECK_THAT(nodes[first]->ask("status"), StartsWith("leader, leader " + std::to_string(first) + ", applied "));

  nodes[first].reset();  // kill -9
  const std::size_t other = first == 1 ? 2 : 1;
  CHECK(nodes[other]->ask("get colour") == "blue");
  CHECK(nodes[other]->ask("put colour green") == "put; before: blue");
  const std::size_t leader = nodes[other]->leader();
  const std::size_t follower = 6 - first - leader;

  nodes[follower].reset();
  CHECK(nodes[leader]->ask("put colour black") == "unknown: no answer in time");
  start(first);
  CHECK_THAT(nodes[first]->ask("get colour"), Catch::Matchers::Equals("black") || Catch::Matchers::Equals("green"));
}

TEST_CASE("quickstart: every verb", "[examples]") {
  TemporaryDirectory directory;
  std::string command = "cd " + directory.path("") + " && exec " VERBS;
  for (int i = 0; i < 3; ++i) command += " 127.0.0.1:" + std::to_string(free_port());
  Process::Line line;
  line.arguments = {"/bin/sh", "-c", command};
  line.output_file = directory.path("out");
  line.error_file = directory.path("err");
  Process verbs{line};
  CHECK(verbs.wait(std::chrono::seconds{60}) == 0);
  INFO(contents_of(line.error_file));
  CHECK(contents_of(line.output_file) ==
        "put; before: nothing\n"
        "before: red\n"
        "3\n"
        "afar\n"
        "it did not run, and never will: not applied: the node is stopped\n");
}
