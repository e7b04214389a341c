#include <miniss/net/http/content_coding.hh>

#include <optional>

#include <miniss/net/http/reply.hh>
#include <miniss/net/http/request.hh>
#include <miniss/net/http/text.hh>

namespace miniss::http {
namespace {

constexpr unsigned full_weight = 1000;

// ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), as thousandths.
std::optional<unsigned> parse_weight(std::string_view text) noexcept {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') ||
        (text.size() > 1 && text[1] != '.')) {
        return std::nullopt;
    }
    unsigned weight = text[0] == '1' ? full_weight : 0;
    unsigned place = full_weight / 10;
    for (std::size_t i = 2; i < text.size(); ++i, place /= 10) {
        if (!internal::is_digit(text[i])) {
            return std::nullopt;
        }
        weight += place * static_cast<unsigned>(text[i] - '0');
    }
    return weight <= full_weight ? std::optional(weight) : std::nullopt;
}

// The weight of an element, which is a coding that may be followed by ;q=.
std::optional<unsigned> weight_of(std::string_view element, std::string_view& coding) noexcept {
    const std::size_t semicolon = element.find(';');
    coding = internal::trimmed(element.substr(0, semicolon));
    if (semicolon == std::string_view::npos) {
        return full_weight;
    }
    const std::string_view parameter = internal::trimmed(element.substr(semicolon + 1));
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) {
        return std::nullopt;
    }
    return parse_weight(parameter.substr(2));
}

bool may_be_encoded(const reply& answer) noexcept {
    if (!answer.has_content() || answer.status() == status::partial_content ||
        answer.header("Content-Encoding")) {
        return false;
    }
    bool may = true;
    internal::for_each_element(
        answer.header("Cache-Control").value_or(""), [&may](std::string_view directive) {
            may = may && !internal::equals_ignoring_case(directive, "no-transform");
        });
    return may;
}

}  // namespace

unsigned coding_weight(std::string_view accepted, std::string_view coding) noexcept {
    std::optional<unsigned> named;
    std::optional<unsigned> any;
    internal::for_each_element(accepted, [&](std::string_view element) {
        std::string_view name;
        const auto weight = weight_of(element, name);
        if (weight && internal::equals_ignoring_case(name, coding)) {
            named = weight;
        } else if (weight && name == "*") {
            any = weight;
        }
    });
    return named ? *named : any.value_or(0);
}

void encode_for(const request& asked, reply& answer, const std::vector<content_coding*>& codings) {
    if (!may_be_encoded(answer)) {
        return;
    }
    std::string accepted;
    for (const auto& [name, value] : asked.headers()) {
        if (internal::equals_ignoring_case(name, "Accept-Encoding")) {
            accepted.append(accepted.empty() ? "" : ",").append(value);
        }
    }
    content_coding* best = nullptr;
    unsigned best_weight = 0;
    for (content_coding* each : codings) {
        const unsigned weight = coding_weight(accepted, each->name().text());
        if (weight > best_weight) {
            best = each;
            best_weight = weight;
        }
    }
    answer.add_header("Vary", "Accept-Encoding");
    if (auto encoder = best == nullptr ? nullptr : best->make_encoder(answer)) {
        answer.encode(best->name(), std::move(encoder));
    }
}

}  // namespace miniss::http
