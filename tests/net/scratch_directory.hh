// A directory for the sockets and files of one test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <miniss/tests/catch.hh>

namespace miniss {

// Gone, with all that is in it, when it dies.
class scratch_directory {
    std::string _path;

public:
    scratch_directory() : _path("/tmp/miniss-test-XXXXXX") {
        REQUIRE(::mkdtemp(_path.data()) != nullptr);
    }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    ~scratch_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(_path, ignored);
    }

    std::string path(const std::string& name) const { return _path + "/" + name; }
    std::filesystem::path whole() const { return _path; }
};

inline std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace miniss
