// The book of cancels that an io_uring has not answered, without a ring.
#include <miniss/core/uring_cancels.hh>

#include <cerrno>

#include <miniss/tests/catch.hh>
#include <miniss/tests/core/tested_backend.hh>

using namespace miniss;

TEST_CASE("a cancel that the kernel refused is asked again while the operation is under way",
          "[backend]") {
    internal::uring_cancels cancels;
    recorder waiter;
    for (const int refusal : {-EALREADY, -ENOENT, -EALREADY}) {
        cancels.ask(waiter);
        CHECK(cancels.answered(waiter.cancel_number, refusal) == &waiter);
    }
    cancels.ask(waiter);
    CHECK(cancels.answered(waiter.cancel_number, 0) == nullptr);
    CHECK(waiter.cancel_number == 0);
}

TEST_CASE("the answer to a cancel does not reach a waiter whose operation is complete",
          "[backend]") {
    internal::uring_cancels cancels;
    recorder complete;
    recorder other;
    cancels.ask(complete);
    const unsigned number = complete.cancel_number;
    cancels.forget(complete);
    cancels.ask(other);  // Its number must not be one that the kernel still has.
    CHECK(other.cancel_number != number);
    CHECK(cancels.answered(number, -ENOENT) == nullptr);
    CHECK(cancels.answered(other.cancel_number, -EALREADY) == &other);
}

TEST_CASE("the numbers of cancels are used again", "[backend]") {
    internal::uring_cancels cancels;
    recorder waiter;
    unsigned highest = 0;
    for (int i = 0; i < 1000; ++i) {
        cancels.ask(waiter);
        highest = std::max(highest, waiter.cancel_number);
        cancels.answered(waiter.cancel_number, 0);
    }
    CHECK(highest == 1);
}
