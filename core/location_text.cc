#include <miniss/core/location_text.hh>

#include <cstdio>
#include <cstring>

namespace miniss::internal {

namespace {

constexpr std::size_t name_size_max = 100;

// Without the "../.." that leads from a build directory to the sources.
const char* readable_part(const char* file) noexcept {
    while (std::strncmp(file, "../", 3) == 0) {
        file += 3;
    }
    const std::size_t size = std::strlen(file);
    return size > name_size_max ? file + (size - name_size_max) : file;
}

}  // namespace

location_text::location_text(code_location where) noexcept {
    _text[0] = '\0';
    if (!where.known()) {
        return;
    }
    const char* name = readable_part(where.text());
    if (!where.is_named()) {
        (void)std::snprintf(_text, sizeof _text, "%s:%u", name, where.number());
    } else if (where.number() == 0) {
        (void)std::snprintf(_text, sizeof _text, "%s", name);
    } else {
        (void)std::snprintf(_text, sizeof _text, "%s %u", name, where.number() - 1);
    }
}

}  // namespace miniss::internal
