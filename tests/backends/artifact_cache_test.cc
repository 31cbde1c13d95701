// The artefact cache: whole entries come back as they were, everything else is refused with one warning.
#include "backends/cache/artifact_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "backends/cache/artifact_format.h"
#include "backends/cache/unkept.h"
#include "tests/backends/log_capture.h"
#include "tests/inference/support.h"
#include "tests/runtime/file_limit.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace sluice::testing;
namespace fs = std::filesystem;

ArtifactKey key_for(const std::string& soc = "sm8550") {
  return ArtifactKey("test").add("model", "9f2c").add("soc", soc);
}

std::string random_bytes(std::size_t size, std::mt19937& random) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

fs::path entry_of(const std::string& folder, const ArtifactKey& key) {
  return fs::path(folder) / (key.hash() + ".artifact");
}

class Scratch : public ::testing::Test {
 protected:
  ScratchFolder scratch_;
  const std::string folder_ = scratch_ / "artifacts";
  LogCapture log_;
};

using ArtifactCacheTest = Scratch;

TEST_F(ArtifactCacheTest, GivesBackWhatWasStored) {
  ArtifactCache cache(folder_);
  EXPECT_EQ(cache.load(key_for()), std::nullopt);
  cache.store(key_for(), std::string("a\0b", 3));
  EXPECT_EQ(cache.load(key_for()), std::string("a\0b", 3));
  EXPECT_EQ(cache.load(key_for("qcs6490")), std::nullopt);
  cache.store(key_for(), "");
  EXPECT_EQ(ArtifactCache(folder_).load(key_for()), "");
  EXPECT_EQ(cache.counts().hits, 1u);
  EXPECT_EQ(cache.counts().misses, 2u);
  EXPECT_EQ(cache.counts().stored, 2u);
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

TEST_F(ArtifactCacheTest, AStaleEntryIsToldOnceAndReplaced) {
  const auto key_by = [](const std::string& release) { return key_for().add_version("release", release); };
  EXPECT_EQ(key_by("1.9").hash(), key_by("2.0").hash());
  EXPECT_NE(key_by("1.9").hash(), key_for("qcs6490").add_version("release", "1.9").hash());
  ArtifactCache cache(folder_);
  cache.store(key_by("1.9"), "old");
  EXPECT_EQ(cache.load(key_by("2.0")), std::nullopt);
  EXPECT_EQ(cache.load(key_by("2.0")), std::nullopt);
  EXPECT_THAT(log_.warnings(),
              ElementsAre(AllOf(HasSubstr("another model, device, version"),
                                HasSubstr("('release=1.9', not 'release=2.0')"), HasSubstr("made again"))));
  cache.store(key_by("2.0"), "new");
  EXPECT_EQ(cache.load(key_by("2.0")), "new");
  EXPECT_EQ(cache.counts().rejected, 1u);
  EXPECT_EQ(log_.warnings().size(), 1u);
}

TEST_F(ArtifactCacheTest, IsForNobodyElse) {
  ArtifactCache cache(folder_);
  cache.store(key_for(), "payload");
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(entry_of(folder_, key_for())).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST(ArtifactKey, DiffersWhereverAnyPartDiffers) {
  const ArtifactKey key = ArtifactKey("a").add("x", "1\ny=2");
  EXPECT_NE(key.hash(), ArtifactKey("a").add("x", "1").add("y", "2").hash());
  EXPECT_NE(key.hash(), ArtifactKey("a").add("x", "1\\ny=2").hash());
  EXPECT_NE(key.hash(), ArtifactKey("b").add("x", "1\ny=2").hash());
  EXPECT_EQ(key.hash(), ArtifactKey("a").add("x", "1\ny=2").hash());
}

// One of: bytes overwritten, cut short, something appended, pieces swapped, emptied.
std::string corrupt(std::string bytes, std::mt19937& random) {
  const auto below = [&random](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  const std::string before = bytes;
  switch (below(5)) {
    case 0:
      bytes[below(bytes.size())] ^= static_cast<char>(1u << below(8));
      break;
    case 1: {
      const std::string piece = random_bytes(16, random);
      bytes.replace(below(bytes.size() - 16), 16, piece);
      break;
    }
    case 2:
      bytes.resize(below(bytes.size()));
      break;
    case 3:
      bytes += random_bytes(1 + below(64), random);
      break;
    default: {
      const std::size_t half = bytes.size() / 2;
      bytes = bytes.substr(half) + bytes.substr(0, half);
    }
  }
  EXPECT_NE(bytes, before);
  return bytes;
}

TEST_F(ArtifactCacheTest, NoDamagedEntryIsEverLoaded) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string payload = random_bytes(20'000, random);
  ArtifactCache cache(folder_);
  const ArtifactKey key = key_for();
  cache.store(key, payload);
  const std::string intact = read_file(entry_of(folder_, key));
  constexpr std::uint64_t kRounds = 200;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    ASSERT_EQ(cache.load(key), payload) << "round " << round;
    write_file(entry_of(folder_, key), corrupt(intact, random));
    ASSERT_EQ(cache.load(key), std::nullopt) << "round " << round;
    ASSERT_EQ(cache.counts().rejected, round + 1);
    cache.store(key, payload);
    ASSERT_EQ(cache.load(key), payload) << "round " << round;
  }
  EXPECT_EQ(cache.counts().hits, 2 * kRounds);
  EXPECT_EQ(log_.warnings().size(), kRounds);
}

TEST_F(ArtifactCacheTest, SaysWhatIsWrongWithAnEntryOnce) {
  ArtifactCache cache(folder_);
  const ArtifactKey key = key_for();
  const fs::path entry = entry_of(folder_, key);
  const auto warning_after = [&](const std::string& bytes) {
    LogCapture log;
    write_file(entry, bytes);
    fs::permissions(entry, fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(cache.load(key), std::nullopt);
    EXPECT_EQ(cache.load(key), std::nullopt);  // it is gone: no second warning
    EXPECT_EQ(log.warnings().size(), 1u);
    return log.warnings().empty() ? std::string() : log.warnings()[0];
  };
  cache.store(key, "payload");
  std::string intact = read_file(entry);
  EXPECT_THAT(warning_after(""), AllOf(HasSubstr(entry.string()), HasSubstr("is cut short: 0 bytes"),
                                       HasSubstr("it is made again")));
  EXPECT_THAT(warning_after(intact.substr(0, intact.size() - 1)), HasSubstr("is damaged"));
  EXPECT_THAT(warning_after(pack_artifact(key_for("qcs6490").text(), "payload")),
              HasSubstr("was made for another model, device, version or set of options"));
  intact[7] = '0';
  EXPECT_THAT(warning_after(intact), HasSubstr("is no cache entry of this version"));
}

TEST_F(ArtifactCacheTest, AnEntryThatTheDriverRefusesIsForgotten) {
  ArtifactCache cache(folder_);
  cache.store(key_for(), "payload");
  cache.reject(key_for(), "was refused: error 5005");
  EXPECT_EQ(cache.load(key_for()), std::nullopt);
  EXPECT_THAT(log_.warnings(), ElementsAre(HasSubstr("was refused: error 5005; it is made again")));
}

// What others could have written.

TEST_F(ArtifactCacheTest, EntriesThatOthersCouldHaveWrittenAreRefused) {
  ArtifactCache cache(folder_);
  const fs::path entry = entry_of(folder_, key_for());
  const auto refused = [&](const std::string& why) {
    LogCapture log;
    EXPECT_EQ(cache.load(key_for()), std::nullopt);
    EXPECT_THAT(log.warnings(), ElementsAre(HasSubstr(why)));
    cache.store(key_for(), "payload");
    EXPECT_EQ(cache.load(key_for()), "payload");
  };
  cache.store(key_for(), "payload");
  fs::permissions(entry, fs::perms::others_write, fs::perm_options::add);
  refused("can be written by other users");
  fs::rename(entry, scratch_ / "elsewhere");
  fs::create_symlink(scratch_ / "elsewhere", entry);
  refused("is a symbolic link");
  fs::remove(entry);
  ASSERT_EQ(::mkfifo(entry.c_str(), S_IRUSR | S_IWUSR), 0);
  refused("is no regular file");
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(entry.c_str(), 12345, 12345), 0);
    refused("belongs to user 12345, not to user 0");
  }
}

std::vector<std::string> warnings_of_use(const std::string& folder) {
  LogCapture log;
  ArtifactCache cache(folder);
  cache.store(key_for(), "payload");
  EXPECT_EQ(cache.load(key_for()), std::nullopt);
  EXPECT_EQ(cache.counts().stored, 0u);
  return log.warnings();
}

TEST_F(ArtifactCacheTest, FoldersThatOthersCouldWriteAreRefused) {
  fs::create_directory(folder_);
  fs::permissions(folder_, fs::perms::all);
  EXPECT_THAT(warnings_of_use(folder_),
              ElementsAre(AllOf(HasSubstr(folder_ + "' can be written by other users"),
                                HasSubstr("are not kept in this run"))));
  fs::permissions(folder_, fs::perms::owner_all);
  fs::create_directory_symlink(folder_, scratch_ / "link");
  EXPECT_THAT(warnings_of_use(scratch_ / "link"), ElementsAre(HasSubstr("is a symbolic link")));
  scratch_.write("file", "");
  EXPECT_THAT(warnings_of_use(scratch_ / "file"), ElementsAre(HasSubstr("or no folder")));
  EXPECT_THAT(warnings_of_use(scratch_ / "file/below"), ElementsAre(HasSubstr("cannot be made")));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(folder_.c_str(), 12345, 12345), 0);
    EXPECT_THAT(warnings_of_use(folder_), ElementsAre(HasSubstr("belongs to user 12345")));
  }
}

TEST_F(ArtifactCacheTest, WithoutAFolderThereIsNoCacheAndNoWarning) {
  EXPECT_THAT(warnings_of_use(""), IsEmpty());
}

// A limit on the size of files stands for a full disk: writing fails half-way.
TEST_F(ArtifactCacheTest, AFullFolderIsOneWarningAndLeavesNothing) {
  ArtifactCache cache(folder_);
  {
    const FileLimit full(1000);
    cache.store(key_for(), std::string(5000, 'x'));
    cache.store(key_for(), std::string(5000, 'x'));
  }
  EXPECT_THAT(log_.warnings(), ElementsAre(AllOf(HasSubstr("takes no entry"), HasSubstr("not kept"))));
  EXPECT_EQ(cache.load(key_for()), std::nullopt);
  EXPECT_TRUE(fs::is_empty(folder_));
}

// For a command whose result it is: the reason instead of the warning.
TEST_F(ArtifactCacheTest, WhatCannotBeKeptIsCollectedWhereItIsAsked) {
  ArtifactCache full(folder_);
  const std::string file = scratch_ / "file";
  write_file(file, "x");
  ArtifactCache nowhere(file);
  {
    const UnkeptCollector unkept;
    const FileLimit limit(1000);
    full.store(key_for(), std::string(5000, 'x'));
    nowhere.store(key_for(), "x");
    EXPECT_THAT(unkept.reasons(), ElementsAre(HasSubstr("takes no entry"), HasSubstr("file")));
  }
  EXPECT_THAT(log_.warnings(), IsEmpty());
  report_unkept("nobody asks");
  EXPECT_THAT(log_.warnings(), ElementsAre("nobody asks"));
}

TEST_F(ArtifactCacheTest, LeftoversOfDeadWritersGo) {
  ArtifactCache cache(folder_);
  cache.store(key_for(), "payload");
  write_file(folder_ + "/.new-1-1", "half");
  write_file(folder_ + "/.new-1-2", "half");
  fs::last_write_time(folder_ + "/.new-1-1", fs::file_time_type::clock::now() - std::chrono::hours(2));
  cache.store(key_for("qcs6490"), "payload");
  EXPECT_FALSE(fs::exists(folder_ + "/.new-1-1"));
  EXPECT_TRUE(fs::exists(folder_ + "/.new-1-2"));  // its writer may be at work
}

// Each process stores its own payload again and again and may only ever see a whole one of either.
int write_and_read(const std::string& folder, char mine, std::size_t size) {
  ArtifactCache cache(folder);
  for (int i = 0; i < 200; ++i) {
    cache.store(key_for(), std::string(size, mine));
    const auto got = cache.load(key_for());
    if (!got || (*got != std::string(size, 'a') && *got != std::string(size, 'b'))) return 1;
  }
  return cache.counts().rejected == 0 ? 0 : 1;
}

TEST_F(ArtifactCacheTest, TwoProcessesAtOnceBothSeeWholeEntries) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(write_and_read(folder_, 'b', 30'000));
  EXPECT_EQ(write_and_read(folder_, 'a', 30'000), 0);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ArtifactCacheTest, ThreadsShareACache) {
  ArtifactCache cache(folder_);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&cache, t] {
      const ArtifactKey key = key_for("soc" + std::to_string(t % 2));
      for (int i = 0; i < 20; ++i) {
        cache.store(key, "payload" + std::to_string(t % 2));
        EXPECT_EQ(cache.load(key), "payload" + std::to_string(t % 2));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache.counts().hits, 80u);
}

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(ArtifactCacheFolder, FollowsTheEnvironment) {
  const Variable home("HOME", "/users/u");
  const Variable xdg("XDG_CACHE_HOME", nullptr);
  const Variable cache("SLUICE_CACHE", nullptr);
  const Variable own("SLUICE_ARTIFACTS", nullptr);
  EXPECT_EQ(ArtifactCache::default_folder(), "/users/u/.cache/sluice/artifacts");
  const Variable xdg_set("XDG_CACHE_HOME", "/x");
  EXPECT_EQ(ArtifactCache::default_folder(), "/x/sluice/artifacts");
  const Variable cache_set("SLUICE_CACHE", "/c");
  EXPECT_EQ(ArtifactCache::default_folder(), "/c/artifacts");
  const Variable own_set("SLUICE_ARTIFACTS", "/a");
  EXPECT_EQ(ArtifactCache::default_folder(), "/a");
  const Variable off("SLUICE_ARTIFACTS", "off");
  EXPECT_EQ(ArtifactCache::default_folder(), "");
}

}  // namespace
}  // namespace sluice
