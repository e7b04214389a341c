// foreign_ptr: what it points to dies at home.
#include <miniss/smp/foreign_ptr.hh>

#include <memory>

#include <miniss/smp/runtime.hh>
#include <miniss/tests/catch.hh>
#include <miniss/tests/smp/sim_shards.hh>
#include <miniss/tests/smp/tested_shards.hh>

using namespace miniss;

namespace {

// Notes on which shard it dies.
struct mortal {
    int& died_on;
    int value = 5;
    explicit mortal(int& note) : died_on(note) {}
    mortal(const mortal&) = delete;
    ~mortal() { died_on = static_cast<int>(this_shard_id()); }
};

using owner = foreign_ptr<std::unique_ptr<mortal>>;

future<owner> made_on(unsigned shard, int& died_on) {
    return smp::submit_to(shard,
                          [&died_on] { return make_foreign(std::make_unique<mortal>(died_on)); });
}

}  // namespace

TEST_CASE("a foreign_ptr that dies elsewhere frees at home, in the background", "[foreign_ptr]") {
    const std::uint64_t seed = GENERATE(range<std::uint64_t>(0, 10));
    int died_on = -1;
    sim_shards shards(3, seed);
    shards.run([&] {
        return made_on(2, died_on).then([&](owner pointer) {
            CHECK(pointer.get_owner_shard() == 2);
            CHECK(pointer->value == 5);
            CHECK((*pointer).value == 5);
            CHECK(pointer);
            const owner moved = std::move(pointer);
            CHECK_FALSE(pointer);
            CHECK(died_on == -1);
        });
    });
    shards.run_until_rest();
    CHECK(died_on == 2);
}

TEST_CASE("a foreign_ptr that dies at home frees at once", "[foreign_ptr]") {
    int died_on = -1;
    sim_shards shards(2);
    shards.run([&] {
        make_foreign(std::make_unique<mortal>(died_on));
        CHECK(died_on == 0);
    });
}

TEST_CASE("destroy() is ready when the object is gone", "[foreign_ptr]") {
    int died_on = -1;
    sim_shards shards(2);
    shards.run([&] {
        return made_on(1, died_on).then([&](owner pointer) {
            return pointer.destroy().then([&] { CHECK(died_on == 1); });
        });
    });
    CHECK(died_on == 1);
}

TEST_CASE("reset() and assigning free what was held, at home", "[foreign_ptr]") {
    int first = -1;
    int second = -1;
    int third = -1;
    sim_shards shards(3);
    shards.run([&] {
        return made_on(1, first).then([&](owner pointer) {
            return made_on(2, second).then([&, pointer = std::move(pointer)](owner other) mutable {
                pointer = std::move(other);
                CHECK(pointer.get_owner_shard() == 2);
                pointer.reset(std::make_unique<mortal>(third));
                CHECK(pointer.get_owner_shard() == 0);
                pointer.reset();
                CHECK(third == 0);
                CHECK(pointer == nullptr);
            });
        });
    });
    shards.run_until_rest();
    CHECK(first == 1);
    CHECK(second == 2);
}

TEST_CASE("release() gives the pointer away", "[foreign_ptr]") {
    int died_on = -1;
    sim_shards shards(2);
    shards.run([&] {
        return made_on(1, died_on).then([&](owner pointer) {
            std::unique_ptr<mortal> naked = pointer.release();
            CHECK_FALSE(pointer);
            return smp::submit_to(1, [naked = std::move(naked)]() mutable { naked.reset(); });
        });
    });
    CHECK(died_on == 1);
}

TEST_CASE("copy() makes another owner, whose part dies at home too", "[foreign_ptr]") {
    int died_on = -1;
    using shared_owner = foreign_ptr<std::shared_ptr<mortal>>;
    sim_shards shards(2);
    shards.run([&] {
        return smp::submit_to(1, [&] { return make_foreign(std::make_shared<mortal>(died_on)); })
            .then([&](shared_owner pointer) {
                return do_with(std::move(pointer), [&](shared_owner& original) {
                    return original.copy().then([&](shared_owner copied) {
                        CHECK(copied == original);
                        CHECK(copied.get_owner_shard() == 1);
                        original.reset();
                        return copied.destroy().then([&] { CHECK(died_on == 1); });
                    });
                });
            });
    });
}

TEST_CASE("an empty foreign_ptr has nothing to free", "[foreign_ptr]") {
    const owner empty;
    const owner null = nullptr;
    CHECK(empty.get() == nullptr);
    CHECK(null == empty);
}

TEST_CASE("all foreign pointers have been freed when a runtime has ended", "[foreign_ptr]") {
    std::vector<int> died_on(300, -1);
    run(tested_shards(3), [&died_on] {
        return smp::map(smp::all_cpus(),
                        [&died_on] {
                            std::vector<owner> made;
                            for (unsigned i = 0; i < 100; ++i) {
                                made.push_back(make_foreign(
                                    std::make_unique<mortal>(died_on[this_shard_id() * 100 + i])));
                            }
                            return made;
                        })
            .then([](const std::vector<std::vector<owner>>&) {});
    });
    for (unsigned i = 0; i < 300; ++i) {
        CHECK(died_on[i] == static_cast<int>(i / 100));
    }
}
