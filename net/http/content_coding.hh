// The step in which replies are encoded for those who accept it, such as with gzip.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <miniss/net/http/literal.hh>

namespace miniss::http {

class reply;
class request;

// Encodes one content, piece by piece.
class content_encoder {
public:
    virtual ~content_encoder() = default;
    // Appends to `to` what comes of `bytes`; may hold some of it back.
    virtual void encode(std::string_view bytes, std::string& to) = 0;
    // Appends what is held back, so that the peer can decode all that was encoded so far.
    virtual void flush(std::string& to) = 0;
    // The content is over.
    virtual void finish(std::string& to) = 0;
};

// A content coding (RFC 9110 8.4.1): see server::add_coding().
class content_coding {
public:
    virtual ~content_coding() = default;
    // As it stands in Content-Encoding and Accept-Encoding.
    virtual literal name() const noexcept = 0;
    // Nothing if this content, say a short one, or a picture, is better sent as it is.
    virtual std::unique_ptr<content_encoder> make_encoder(const reply& answer) = 0;
};

// How much the peer likes `coding`, from 0, not at all, to 1000 (RFC 9110 12.5.3). `accepted` is
// the value of Accept-Encoding; what is malformed in it counts as not there.
unsigned coding_weight(std::string_view accepted, std::string_view coding) noexcept;

// Has `answer` encoded with the one of `codings` that the peer likes best, the first one of equals.
// Left as they are: replies without content, parts of a content (206), replies that are encoded
// already, and those whose Cache-Control says no-transform. All others say that they vary.
// Requires that there are codings.
void encode_for(const request& asked, reply& answer, const std::vector<content_coding*>& codings);

}  // namespace miniss::http
