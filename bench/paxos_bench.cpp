// Copyright (c) the paxos authors. MIT licence.
//
// Three nodes in three processes on loopback, every command durable at a majority before it is answered. Prints
// commands a second and latencies by the number of commands outstanding, beside what the disk alone can do.
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <cereal/cereal.hpp>
#include <paxos/paxos.hpp>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t command_bytes = 128;

struct Blob {
  std::array<char, command_bytes> bytes{};
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::binary_data(bytes.data(), bytes.size()));
  }
};

/// Touches every byte, keeps nothing.
struct Sink {
  using Command = Blob;
  std::uint64_t commands = 0;
  std::uint64_t sum = 0;
  std::uint64_t apply(const Command& blob) {
    for (const char c : blob.bytes) sum += static_cast<unsigned char>(c);
    return ++commands;
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(commands, sum);
  }
};

struct Figures {
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double max_us = 0;
  std::uint64_t failed = 0;
};

Figures figures_of(std::vector<std::uint32_t> latencies_ns_over_100, Clock::duration time, std::uint64_t failed) {
  Figures figures;
  figures.failed = failed;
  if (latencies_ns_over_100.empty()) return figures;
  std::ranges::sort(latencies_ns_over_100);
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies_ns_over_100.size() - 1));
    return static_cast<double>(latencies_ns_over_100[index]) / 10.0;
  };
  figures.per_second = static_cast<double>(latencies_ns_over_100.size()) / std::chrono::duration<double>(time).count();
  figures.p50_us = at(0.5);
  figures.p99_us = at(0.99);
  figures.max_us = at(1.0);
  return figures;
}

/// Keeps `outstanding` commands under way, each answer starting the next, for `duration`.
template <class Target>
class Load : public std::enable_shared_from_this<Load<Target>> {
 public:
  Load(Target& target, std::size_t outstanding, Clock::duration duration)
      : target_(target), outstanding_(outstanding), end_(Clock::now() + duration) {
    latencies_.reserve(std::size_t{1} << 22);
  }

  Figures run() {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < outstanding_; ++i) next();
    done_.get_future().wait();
    return figures_of(std::move(latencies_), Clock::now() - start, failed_);
  }

 private:
  void next() {
    target_.async_propose(Blob{},
                          [self = this->shared_from_this(), sent = Clock::now()](std::error_code error, std::uint64_t) {
                            const auto now = Clock::now();
                            if (error) {
                              ++self->failed_;
                            } else {
                              self->latencies_.push_back(static_cast<std::uint32_t>(
                                  std::chrono::duration_cast<std::chrono::nanoseconds>(now - sent).count() / 100));
                            }
                            if (now < self->end_) return self->next();
                            if (++self->finished_ == self->outstanding_) self->done_.set_value();
                          });
  }

  Target& target_;
  std::size_t outstanding_;
  Clock::time_point end_;
  // Answers come on one thread.
  std::vector<std::uint32_t> latencies_;
  std::uint64_t failed_ = 0;
  std::size_t finished_ = 0;
  std::promise<void> done_;
};

template <class Target>
Figures measure(Target& target, std::size_t outstanding, Clock::duration duration) {
  return std::make_shared<Load<Target>>(target, outstanding, duration)->run();
}

/// Median microseconds of one 4 KiB write and fdatasync in a file that was filled with zeros before.
double disk_alone(const std::filesystem::path& directory) {
  const std::string path = directory / "disk-alone";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) throw std::runtime_error("cannot create " + path);
  const std::vector<char> zeros(std::size_t{8} << 20);
  const std::vector<char> block(4096, 'x');
  if (::pwrite(file, zeros.data(), zeros.size(), 0) < 0 || ::fsync(file) != 0)
    throw std::runtime_error("cannot fill " + path);
  std::vector<std::uint32_t> times;
  const auto start = Clock::now();
  for (int i = 0; i < 1500; ++i) {
    const auto begin = Clock::now();
    if (::pwrite(file, block.data(), block.size(), i * 4096) < 0 || ::fdatasync(file) != 0)
      throw std::runtime_error("cannot write " + path);
    times.push_back(static_cast<std::uint32_t>((Clock::now() - begin).count() / 100));
  }
  ::close(file);
  return figures_of(std::move(times), Clock::now() - start, 0).p50_us;
}

/// Three ports that were free a moment ago.
std::vector<std::string> free_addresses(std::size_t count) {
  asio::io_context context;
  std::vector<asio::ip::tcp::acceptor> held;
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < count; ++i) {
    held.emplace_back(context, asio::ip::tcp::endpoint{asio::ip::address_v4::loopback(), 0});
    addresses.push_back("127.0.0.1:" + std::to_string(held.back().local_endpoint().port()));
  }
  return addresses;
}

/// Child processes that each run a node until their pipe closes.
class Nodes {
 public:
  Nodes() = default;
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;
  ~Nodes() {
    for (const int stop : stops_) ::close(stop);
    for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
  }

  /// Forks; must be called before this process has threads.
  void start(const paxos::Config& config) {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) throw std::runtime_error("pipe failed");
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) {
      for (const int other : stops_) ::close(other);
      ::close(pipe[1]);
      int status = 0;
      try {
        const paxos::Node<Sink> node{config};
        char end = 0;
        while (::read(pipe[0], &end, 1) > 0) {
        }
      } catch (const std::exception& error) {
        fmt::print(stderr, "node {}: {}\n", to_string(config.id), error.what());
        status = 1;
      }
      ::_exit(status);
    }
    ::close(pipe[0]);
    stops_.push_back(pipe[1]);
    children_.push_back(child);
  }

 private:
  std::vector<int> stops_;
  std::vector<pid_t> children_;
};

struct Options {
  std::vector<std::size_t> outstanding{1, 64, 1024};
  double seconds = 3;
  std::string directory;
};

void print(const std::string& where, std::size_t outstanding, const Figures& figures) {
  fmt::print("{:<22} {:>11} {:>12.0f} {:>9.0f} {:>9.0f} {:>9.0f} {:>7}\n", where, outstanding, figures.per_second,
             figures.p50_us, figures.p99_us, figures.max_us, figures.failed);
  std::fflush(stdout);
}

template <class Target>
void run(const std::string& where, Target& target, const Options& options) {
  (void)measure(target, 64, 500ms);  // warm: connections, segments, caches
  for (const std::size_t outstanding : options.outstanding)
    print(where, outstanding,
          measure(target, outstanding,
                  std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds))));
}

paxos::Config config_of(std::uint64_t id, const std::vector<std::string>& addresses,
                        const std::filesystem::path& root) {
  paxos::Config config;
  config.id = paxos::NodeId{id};
  for (std::uint64_t i = 1; i <= addresses.size(); ++i)
    config.members.emplace_back(i, addresses[i - 1], i == 1 ? 1 : 0);
  config.data_dir = root / ("node-" + std::to_string(id));
  return config;
}

/// This process runs node 1, which is preferred as leader, and proposes from inside.
void bench_leader(const Options& options, const std::filesystem::path& root) {
  const auto addresses = free_addresses(3);
  Nodes others;
  for (const std::uint64_t id : {2U, 3U}) others.start(config_of(id, addresses, root));
  paxos::Node<Sink> node{config_of(1, addresses, root)};
  const auto deadline = Clock::now() + 20s;
  while (node.status().standing != paxos::Standing::leader) {
    if (Clock::now() > deadline) throw std::runtime_error("node 1 did not become the leader within 20 s");
    std::this_thread::sleep_for(10ms);
  }
  run("in the leader", node, options);
}

/// This process runs a client; the nodes are three other processes.
void bench_client(const Options& options, const std::filesystem::path& root) {
  const auto addresses = free_addresses(3);
  Nodes nodes;
  for (const std::uint64_t id : {1U, 2U, 3U}) nodes.start(config_of(id, addresses, root));
  paxos::Client<Sink> client{{.addresses = {addresses[0]}}};
  run("remote client", client, options);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Loads a three-node cluster on this machine and prints what it does."};
  app.add_option("--outstanding", options.outstanding, "commands under way at once")->capture_default_str();
  app.add_option("--seconds", options.seconds, "for each figure")->check(CLI::Range(0.1, 600.0))->capture_default_str();
  app.add_option("--dir", options.directory, "where the nodes keep their logs (default: a temporary directory)");
  CLI11_PARSE(app, argc, argv);
  try {
    std::filesystem::path root =
        options.directory.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path{options.directory};
    std::string pattern = root / "paxos-bench-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot create a directory in " + root.string());
    root = pattern;
    const struct Cleaner {
      std::filesystem::path path;
      ~Cleaner() { std::filesystem::remove_all(path); }
    } cleaner{root};
    fmt::print("three processes on loopback, fsync on, {}-byte commands, {} s a figure, log in {}\n", command_bytes,
               options.seconds, root.parent_path().string());
    fmt::print("the disk alone: one 4 KiB write + fdatasync {:.0f} µs (median)\n\n", disk_alone(root));
    fmt::print("{:<22} {:>11} {:>12} {:>9} {:>9} {:>9} {:>7}\n", "proposals from", "outstanding", "commands/s",
               "p50 µs", "p99 µs", "max µs", "failed");
    bench_leader(options, root / "leader");
    bench_client(options, root / "client");
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "paxos-bench: {}\n", error.what());
    return 1;
  }
}
