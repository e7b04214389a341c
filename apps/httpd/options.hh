// What the bundled server can be told.
#pragma once

#include <string>

#include <miniss/net/http/server.hh>
#include <miniss/smp/app_template.hh>

namespace httpd {

struct options {
    std::string address = "127.0.0.1:8080";
    std::string root;        // A directory whose files are served, instead of the usual answers.
    std::string access_log;  // A file for a line per request.
    miniss::http::server_options server;
};

// Lifetime: `to` must outlive the run of `app`.
void add_options(miniss::app_template& app, options& to);

// Throws std::invalid_argument, with a text for the user, for what CLI and types cannot know.
void check(const options& given);

}  // namespace httpd
