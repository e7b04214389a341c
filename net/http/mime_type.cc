#include <miniss/net/http/mime_type.hh>

#include <algorithm>
#include <array>
#include <iterator>

#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

struct known_type {
    std::string_view extension;
    literal type;
};

// In order of the extensions. Source: the IANA registry of media types, and custom.
constexpr known_type known_types[] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"rss", "application/rss+xml"},
    {"rtf", "application/rtf"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"xz", "application/x-xz"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

constexpr std::size_t extension_bytes_max = 16;

}  // namespace

literal mime_type_of(std::string_view file_name) noexcept {
    const std::size_t dot = file_name.rfind('.');
    const std::string_view extension =
        dot == std::string_view::npos ? std::string_view() : file_name.substr(dot + 1);
    std::array<char, extension_bytes_max> lower;
    if (extension.size() <= lower.size()) {
        const auto* end =
            std::transform(extension.begin(), extension.end(), lower.begin(), internal::to_lower);
        const std::string_view wanted(lower.data(), static_cast<std::size_t>(end - lower.data()));
        const auto* found = std::lower_bound(
            std::begin(known_types), std::end(known_types), wanted,
            [](const known_type& each, std::string_view name) { return each.extension < name; });
        if (found != std::end(known_types) && found->extension == wanted) {
            return found->type;
        }
    }
    return "application/octet-stream";
}

}  // namespace miniss::http
