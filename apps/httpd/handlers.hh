// What the bundled server answers.
#pragma once

#include <miniss/net/http/routes.hh>

namespace httpd {

// "/", "/echo", "/plaintext", "/json", "/pipeline" and "/baseline11"; see the README.
miniss::http::routes make_routes();

}  // namespace httpd
