#include <miniss/net/http/server.hh>

#include <new>
#include <system_error>

#include <miniss/core/reactor.hh>
#include <miniss/core/report.hh>
#include <miniss/net/http/connection.hh>
#include <miniss/timer/sleep.hh>
#include <miniss/timer/timer.hh>

namespace miniss::http {

namespace {

// How long accept() is left alone after it found no descriptor or no memory.
constexpr std::chrono::milliseconds exhausted_pause{50};

// What accept() fails with is either this or that there is too little of something.
bool has_stopped(const std::exception_ptr& error) noexcept {
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& failure) {
        return failure.code() == std::errc::connection_aborted;
    } catch (...) {
        return false;
    }
}

// About as many requests as are on their way at once; those of more are made and freed.
constexpr std::size_t spare_exchange_count_max = 64;

std::unique_ptr<byte_stream> bare_stream(connected_socket&& peer) { return peer.stream(); }

}  // namespace

server::server(const routes& table, const server_options& options)
    : _routes(table), _options(options), _free_slots(options.connection_count_max) {
    _spare_exchanges.reserve(spare_exchange_count_max);
}

std::size_t server::connection_count() const noexcept { return _connections.size(); }

server::~server() { MINISS_ASSERT(_connections.empty()); }  // stop() comes first.

void server::start(server_socket listener) { start(std::move(listener), bare_stream); }

void server::start(server_socket listener, stream_maker make_stream) {
    _listener = std::move(listener);
    _listener.set_nodelay(true);
    _make_stream = std::move(make_stream);
    run_in_background("HTTP accept", accept_all(_work.hold()));
}

// Connections that the kernel had let in still come after stop() has closed the gate: they are
// inside with us.
future<> server::accept_all(gate::holder inside) {
    return repeat([this, inside = std::move(inside)] { return accept_one(inside); });
}

// A slot is taken before the connection is, so that a full server leaves the others waiting in
// the kernel's backlog.
future<stop_iteration> server::accept_one(const gate::holder& inside) {
    return get_units(_free_slots, 1).then([this, &inside](semaphore_units&& slot) {
        return _listener.accept()
            .then([this, &inside, slot = std::move(slot)](connected_socket&& peer) mutable {
                serve(std::move(peer), inside);
                slot.release();  // From now on it is the connection's.
                return make_ready_future<stop_iteration>(stop_iteration::no);
            })
            .handle_exception([](const std::exception_ptr& error) {
                if (has_stopped(error)) {
                    return make_ready_future<stop_iteration>(stop_iteration::yes);
                }
                // Out of descriptors or memory: those who are served will give some back.
                return sleep(exhausted_pause).then([] { return stop_iteration::no; });
            });
    });
}

void server::serve(connected_socket peer, gate::holder inside) {
    std::unique_ptr<byte_stream> stream;
    try {
        stream = _make_stream(std::move(peer));
    } catch (const std::bad_alloc&) {
        throw;
    } catch (...) {
        miniss::internal::report_background_failure("HTTP stream", std::current_exception());
        _free_slots.signal();
        return;
    }
    auto served =
        std::make_unique<internal::connection>(*this, std::move(stream), std::move(inside));
    _connections.push_back(*served);
    internal::connection::run(std::move(served));
}

std::unique_ptr<internal::exchange> server::take_exchange() {
    if (_spare_exchanges.empty()) {
        return std::make_unique<internal::exchange>(_options.bounds);
    }
    auto spare = std::move(_spare_exchanges.back());
    _spare_exchanges.pop_back();
    return spare;
}

void server::give_back(std::unique_ptr<internal::exchange> spent) noexcept {
    if (_spare_exchanges.size() < spare_exchange_count_max) {
        spent->asked.reset();
        _spare_exchanges.push_back(std::move(spent));
    }
}

// Asks for the time of day once a turn, not for every reply.
std::string_view server::date() noexcept {
    if (const auto turn = engine().now(); turn != _date_asked_at) {
        _date_asked_at = turn;
        _date_text = _date.at(unix_seconds());
    }
    return _date_text;
}

std::int64_t server::unix_seconds() noexcept {
    const auto now = engine().backend().time_of_day().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

future<> server::stop(std::chrono::steady_clock::time_point deadline) {
    _draining = true;
    _drain_end = engine().now() + _options.drain_time;
    _listener.stop();
    for (internal::connection& each : _connections) {
        each.drain();
    }
    auto cut_off = std::make_unique<timer<>>([this] {
        _listener.abort_accept();
        for (internal::connection& each : _connections) {
            each.abort();
        }
    });
    cut_off->arm(deadline);
    return _work.close().finally([cut_off = std::move(cut_off)] {});
}

}  // namespace miniss::http
