// A system call about a file, on its way to the kernel and back, and the file that it concerns.
#pragma once

#include <cerrno>
#include <optional>
#include <system_error>

#include <miniss/core/assert.hh>
#include <miniss/core/file_buffer_pool.hh>
#include <miniss/core/file_request.hh>
#include <miniss/core/future.hh>
#include <miniss/core/io_backend.hh>

namespace miniss::internal {

inline std::exception_ptr file_error(int error, const char* what) {
    return std::make_exception_ptr(std::system_error(error, std::system_category(), what));
}

// Makes one call, or the same one again until all is done, and deletes itself.
//
// Call has: a `result`, a `name`, and a file_request request() that may point into the call itself.
// Of what the kernel answers it makes: int checked(int value), an error where there was none; bool
// goes_on(int value), to be asked again; result finish(int value).
template <typename Call>
class file_call final : public io_completion {
    using result = typename Call::result;

    io_backend& _backend;
    Call _call;
    file_request _request;
    promise<result> _promise;

public:
    file_call(io_backend& backend, Call&& call) noexcept
        : _backend(backend), _call(std::move(call)), _request(_call.request()) {}

    future<result> start() noexcept {
        auto ended = _promise.get_future();
        _backend.submit(file_op{&_request}, *this);
        return ended;
    }

    void complete(io_result&& answer) noexcept override {
        const int value = _call.checked(answer.value);
        if (value == -EINTR || (value >= 0 && _call.goes_on(value))) {
            _request = _call.request();
            _backend.submit(file_op{&_request}, *this);
            return;
        }
        auto promise = std::move(_promise);
        if (value < 0) {
            const char* name = Call::name;
            delete this;  // Whoever hears of the end finds nothing under way any more.
            promise.set_exception(file_error(-value, name));
            return;
        }
        if constexpr (std::is_void_v<result>) {
            delete this;
            promise.set_value();
        } else {
            result ended = _call.finish(value);
            delete this;
            promise.set_value(std::move(ended));
        }
    }
};

template <typename Call>
future<typename Call::result> make_call(io_backend& backend, Call call) noexcept {
    return (new file_call<Call>(backend, std::move(call)))->start();
}

// For calls that are made once and give nothing.
struct plain_call {
    using result = void;
    static int checked(int value) noexcept { return value; }
    static bool goes_on(int) noexcept { return false; }
};

// An open descriptor and how it may be used.
//
// Ownership: counted. It is closed by close(), or when the last reference is gone.
class open_file {
    io_backend& _backend;
    int _fd;
    unsigned _reference_count = 0;
    unsigned _call_count = 0;
    bool _closed = false;
    std::optional<promise<>> _closing;

public:
    // A pipe, a terminal: it cannot be read or written elsewhere than where it stands.
    bool is_stream = false;
    // It is somebody else's, who will close it.
    bool is_borrowed = false;
    // Writes go to its end, wherever they are meant for.
    bool appends = false;
    // Of direct I/O; 1 if it is buffered.
    unsigned memory_alignment = 1;
    unsigned offset_alignment = 1;
    // Where memory for that comes from; null if it is buffered, or there is none.
    file_buffer_pool* buffers = nullptr;

    open_file(io_backend& backend, int fd) noexcept : _backend(backend), _fd(fd) {}
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;

    void add_reference() noexcept { ++_reference_count; }
    void drop_reference() noexcept;
    void begin_call() noexcept { ++_call_count; }
    void end_call() noexcept {
        --_call_count;
        close_when_idle();
    }

    io_backend& backend() noexcept { return _backend; }
    int fd() const noexcept { return _fd; }
    bool closed() const noexcept { return _closed; }
    bool knows(const void* bytes, std::size_t size_bytes) const noexcept {
        return buffers != nullptr && buffers->holds(bytes, size_bytes);
    }

    // Once nothing is under way any more.
    future<> close() noexcept;

private:
    ~open_file() = default;
    void close_when_idle() noexcept;
};

// A counted reference.
class file_ref {
    open_file* _file = nullptr;

public:
    file_ref() noexcept = default;
    explicit file_ref(open_file& file) noexcept : _file(&file) { file.add_reference(); }
    file_ref(const file_ref& other) noexcept : _file(other._file) {
        if (_file != nullptr) {
            _file->add_reference();
        }
    }
    file_ref(file_ref&& other) noexcept : _file(std::exchange(other._file, nullptr)) {}
    file_ref& operator=(file_ref other) noexcept {
        std::swap(_file, other._file);
        return *this;
    }
    ~file_ref() {
        if (_file != nullptr) {
            _file->drop_reference();
        }
    }
    open_file* operator->() const noexcept { return _file; }
    open_file& operator*() const noexcept { return *_file; }
    explicit operator bool() const noexcept { return _file != nullptr; }
};

// Keeps a descriptor open while a call is under way on it.
class file_use {
    file_ref _file;

public:
    explicit file_use(const file_ref& file) noexcept : _file(file) { _file->begin_call(); }
    file_use(file_use&&) noexcept = default;
    file_use& operator=(file_use&&) = delete;
    ~file_use() {
        if (_file) {
            _file->end_call();
        }
    }
    open_file* operator->() const noexcept { return &*_file; }
};

}  // namespace miniss::internal
