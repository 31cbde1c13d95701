// Runs the program in a folder of its own, as users and scripts do.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace sluice::cli {

namespace fs = std::filesystem;

class Program : public ::testing::Test {
 public:
  ~Program() override { fs::remove_all(folder_); }

 protected:
  Program() : folder_(fs::path(::testing::TempDir()) / ("program_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(at(name)) << text;
    return at(name);
  }
  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  pid_t start(std::vector<std::string> words, const std::string& out) {
    words.insert(words.begin(), SLUICE_PROGRAM);
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
      ::dup2(::open(at("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    return child;
  }
  int wait(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    err_ = read(at("err"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  int run(const std::vector<std::string>& words) {
    const int code = wait(start(words, at("out")));
    out_ = read(at("out"));
    return code;
  }

  std::string hello(const std::string& source = "uri: test:bars") const {
    return write("hello.yaml", "version: 1\nnodes:\n  - {id: camera, type: video_source, options: {" +
                                   source + "}}\n  - {id: out, type: null_sink, inputs: camera}\n");
  }

  fs::path folder_;
  std::string out_, err_;
};

}  // namespace sluice::cli
