// The head of a reply as text.
#pragma once

#include <string>

#include <miniss/net/http/reply.hh>

namespace miniss::http {

inline std::string head_of(const reply& answer, const reply_context& context) {
    std::string head(answer.head_bytes_max(), ' ');
    const char* end = answer.write_head(head.data(), context);
    head.resize(static_cast<std::size_t>(end - head.data()));
    return head;
}

}  // namespace miniss::http
