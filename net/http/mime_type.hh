// What kind of content a file holds, by its name.
#pragma once

#include <string_view>

#include <miniss/net/http/literal.hh>

namespace miniss::http {

// The media type that goes with the part of `file_name` behind its last dot, whose case does not
// matter: of the kinds that the web is made of. Texts are taken for UTF-8. Anything else is
// application/octet-stream, which browsers save and do not look into.
literal mime_type_of(std::string_view file_name) noexcept;

}  // namespace miniss::http
