// A service with an instance on each shard, and the calls between those.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <typeinfo>
#include <vector>

#include <miniss/core/when_all.hh>
#include <miniss/smp/smp.hh>

namespace miniss {

template <typename Service>
class sharded;

// What a call gets on a shard where the service has no instance.
class no_sharded_instance_exception : public std::exception {
    std::string _text;

public:
    explicit no_sharded_instance_exception(const std::type_info& service);
    const char* what() const noexcept override { return _text.c_str(); }
};

// A base for services that call their instances on other shards.
template <typename Service>
class peering_sharded_service {
    sharded<Service>* _container = nullptr;
    friend class sharded<Service>;

public:
    // Where this instance is one of. Not yet in the constructor.
    sharded<Service>& container() noexcept {
        MINISS_ASSERT(_container != nullptr);  // Otherwise: not made by sharded<>::start().
        return *_container;
    }
    const sharded<Service>& container() const noexcept {
        return const_cast<peering_sharded_service*>(this)->container();
    }
};

// A base for services whose instances live until the last shared_from_this() is gone: stop() waits
// for that.
template <typename Service>
class async_sharded_service : public std::enable_shared_from_this<Service> {
    promise<>* _freed = nullptr;
    friend class sharded<Service>;

protected:
    ~async_sharded_service() {
        if (_freed != nullptr) {
            _freed->set_value();
        }
    }
};

// For start(): an argument that is made on each shard, by func(parameters...).
// Lifetime: func and the parameters are copied for each shard, as arguments of start() are.
template <typename Func, typename... Parameters>
class sharded_parameter {
    Func _func;
    std::tuple<Parameters...> _parameters;

public:
    explicit sharded_parameter(Func func, Parameters... parameters)
        : _func(std::move(func)), _parameters(std::move(parameters)...) {}

    // On each shard.
    auto evaluate();
};

namespace internal {

[[noreturn]] void complain_not_stopped(const std::type_info& service) noexcept;

// What std::ref(another sharded<>) becomes on a shard: the instance there, or all of it, whichever
// the constructor takes.
template <typename Service>
class either_sharded_or_local {
    sharded<Service>& _all;

public:
    explicit either_sharded_or_local(sharded<Service>& all) noexcept : _all(all) {}
    operator sharded<Service>&() const noexcept { return _all; }
    operator Service&() const noexcept { return _all.local(); }
};

template <typename T>
inline constexpr bool is_sharded = false;
template <typename Service>
inline constexpr bool is_sharded<sharded<Service>> = true;
template <typename T>
inline constexpr bool is_sharded_parameter = false;
template <typename Func, typename... P>
inline constexpr bool is_sharded_parameter<sharded_parameter<Func, P...>> = true;

// A std::reference_wrapper<sharded<...>>, whose header costs more than this one.
template <typename T>
concept wraps_sharded = requires(T wrapper) {
                            typename T::type;
                            wrapper.get();
                        } && is_sharded<typename T::type>;

// Feeds the values to the reducer, one after the other.
template <typename Reducer, typename Values>
auto reduce_all(Reducer& reducer, Values& values) noexcept {
    return do_for_each(values,
                       [&reducer](auto&& value) {
                           using value_type = typename Values::value_type;
                           return futurize_invoke(reducer,
                                                  static_cast<value_type>(std::move(value)));
                       })
        .then([&reducer] {
            if constexpr (requires { std::move(reducer).get(); }) {
                return std::move(reducer).get();
            }
        });
}

template <typename Service>
either_sharded_or_local<Service> local_part(sharded<Service>& all) noexcept {
    return either_sharded_or_local<Service>(all);
}

// What an argument of start() becomes on this shard.
template <typename T>
decltype(auto) local_argument(T& argument) {
    if constexpr (wraps_sharded<T>) {
        return local_part(argument.get());
    } else if constexpr (is_sharded_parameter<T>) {
        return argument.evaluate();
    } else {
        return std::move(argument);
    }
}

}  // namespace internal

template <typename Func, typename... Parameters>
auto sharded_parameter<Func, Parameters...>::evaluate() {
    return std::apply(
        [this](Parameters&... each) { return _func(internal::local_argument(each)...); },
        _parameters);
}

// One instance of Service for each shard; what calls take as `Service&` is that of the shard on
// which they run. A Service may have `future<> stop()`.
//
// Lifetime: start() or start_single() first; stop() before it is destroyed, or it dies with an
//           assertion that names Service. Movable before start().
// Shard:    start and stop on the same one; calls from any shard, between them.
// Errors:   a call on a shard without instance fails with no_sharded_instance_exception.
// Cost:     as smp::submit_to().
template <typename Service>
class sharded {
    // Of one shard, and touched by that one only. Shared for async_sharded_service alone.
    struct slot {
        std::shared_ptr<Service> service;
        promise<> freed;
    };
    std::vector<slot> _slots;

    static constexpr bool is_async = std::is_base_of_v<async_sharded_service<Service>, Service>;
    static constexpr bool is_peering = std::is_base_of_v<peering_sharded_service<Service>, Service>;

public:
    sharded() noexcept = default;
    sharded(sharded&& other) noexcept { MINISS_ASSERT(other._slots.empty()); }
    sharded& operator=(sharded&&) = delete;
    ~sharded() {
        if (!_slots.empty()) {
            internal::complain_not_stopped(typeid(Service));
        }
    }

    // Makes an instance on every shard, at the same time: Service(args...), with a copy of args for
    // each, which is made here and moved there. Of these, std::ref(another sharded<>) becomes its
    // local instance, and a sharded_parameter what it evaluates to.
    // Errors: what a constructor throws; the instances that were made are stopped by then.
    template <typename... Args>
    future<> start(Args&&... args) noexcept {
        return start_with(this_smp_shard_count(), [&](auto create) {
            return smp::invoke_on_all(create(std::forward<Args>(args)...));
        });
    }

    // Makes only an instance on shard 0. The arguments need not be copyable.
    template <typename... Args>
    future<> start_single(Args&&... args) noexcept {
        return start_with(
            1, [&](auto create) { return smp::submit_to(0, create(std::forward<Args>(args)...)); });
    }

    // Calls stop() of all instances at the same time, if Service has that; when all have stopped,
    // destroys them, that of the last shard first. Nothing if there are none.
    // Errors: if stop() failed on several shards, one of the errors. All are destroyed anyway.
    future<> stop() noexcept {
        return on_instances([this] { return stop_here(); }).finally([this] {
            return destroy_all();
        });
    }

    // Requires an instance here.
    Service& local() noexcept {
        MINISS_ASSERT(local_is_initialized());
        return *_slots[this_shard_id()].service;
    }
    const Service& local() const noexcept { return const_cast<sharded*>(this)->local(); }
    // For an async_sharded_service: keeps it alive.
    std::shared_ptr<Service> local_shared() noexcept {
        MINISS_ASSERT(local_is_initialized());
        return _slots[this_shard_id()].service;
    }
    bool local_is_initialized() const noexcept {
        return this_shard_id() < _slots.size() && _slots[this_shard_id()].service != nullptr;
    }

    // Calls func(Service&, args...), or a member function of Service, on one shard.
    template <typename Func, typename... Args>
        requires(!std::convertible_to<Func, smp_submit_to_options>)
    auto invoke_on(unsigned shard, Func&& func, Args&&... args) noexcept {
        return smp::submit_to(shard, bound(std::forward<Func>(func), std::forward<Args>(args)...));
    }

    // ... within the limits of a service group.
    template <typename Func, typename... Args>
    auto invoke_on(unsigned shard, smp_submit_to_options options, Func&& func,
                   Args&&... args) noexcept {
        return smp::submit_to(shard, options,
                              bound(std::forward<Func>(func), std::forward<Args>(args)...));
    }

    // The same on each shard of a range at the same time, with copies of func and args; ready when
    // all are. func returns nothing or a future<>.
    // Errors: if it fails on several shards, one of the errors.
    template <shard_numbers Range, typename Func, typename... Args>
        requires(!std::convertible_to<Func, smp_submit_to_options>)
    future<> invoke_on(Range&& shards, Func&& func, Args&&... args) noexcept {
        return invoke_on(shards, smp_submit_to_options(), std::forward<Func>(func),
                         std::forward<Args>(args)...);
    }
    template <shard_numbers Range, typename Func, typename... Args>
    future<> invoke_on(Range&& shards, smp_submit_to_options options, Func&& func,
                       Args&&... args) noexcept {
        return smp::invoke_on(shards, options,
                              bound(std::forward<Func>(func), std::forward<Args>(args)...));
    }
    // ... where there are instances,
    template <typename Func, typename... Args>
        requires(!std::convertible_to<Func, smp_submit_to_options>)
    future<> invoke_on_all(Func&& func, Args&&... args) noexcept {
        return on_instances(bound(std::forward<Func>(func), std::forward<Args>(args)...));
    }
    template <typename Func, typename... Args>
    future<> invoke_on_all(smp_submit_to_options options, Func&& func, Args&&... args) noexcept {
        return invoke_on(instances(), options, std::forward<Func>(func),
                         std::forward<Args>(args)...);
    }
    // ... and where there are others than ours.
    template <typename Func, typename... Args>
        requires(!std::convertible_to<Func, smp_submit_to_options>)
    future<> invoke_on_others(Func&& func, Args&&... args) noexcept {
        return invoke_on_others(smp_submit_to_options(), std::forward<Func>(func),
                                std::forward<Args>(args)...);
    }
    template <typename Func, typename... Args>
    future<> invoke_on_others(smp_submit_to_options options, Func&& func, Args&&... args) noexcept {
        return smp::invoke_on(instances(), options,
                              [call = bound(std::forward<Func>(func), std::forward<Args>(args)...),
                               self = this_shard_id()]() mutable {
                                  return this_shard_id() == self ? make_ready_future<>()
                                                                 : futurize_invoke(call);
                              });
    }

    // Calls func(Service&, args...) on all shards, and gives what it returns there as a vector, by
    // shard.
    template <typename Func, typename... Args>
    auto map(Func&& func, Args&&... args) noexcept {
        return smp::map(instances(), bound(std::forward<Func>(func), std::forward<Args>(args)...));
    }

    // The same, but gives reduce(... reduce(reduce(initial, of shard 0), of shard 1) ...).
    template <typename Mapper, typename Initial, typename Reduce>
    future<Initial> map_reduce0(Mapper mapper, Initial initial, Reduce reduce) noexcept {
        return smp::map_reduce(instances(), bound(std::move(mapper)), std::move(initial),
                               std::move(reduce));
    }

    // The same with an object: reducer(value) for the value of each shard, in their order; it may
    // return a future. Gives reducer.get(), if it has that.
    template <typename Reducer, typename Func, typename... Args>
    auto map_reduce(Reducer&& reducer, Func&& func, Args&&... args) noexcept {
        return map(std::forward<Func>(func), std::forward<Args>(args)...)
            .then([reducer = std::forward<Reducer>(reducer)](auto&& values) mutable {
                return do_with(std::move(reducer), std::move(values), [](auto& into, auto& from) {
                    return internal::reduce_all(into, from);
                });
            });
    }

private:
    shard_range instances() const noexcept {
        return shard_range(static_cast<unsigned>(_slots.size()));
    }

    // A call that finds its instance where it runs.
    template <typename Func, typename... Args>
    auto bound(Func&& func, Args&&... args) {
        return [this, func = std::forward<Func>(func),
                args = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable {
            return std::apply(
                [&](auto&... each) {
                    return std::apply(func,
                                      std::forward_as_tuple(instance_here(), std::move(each)...));
                },
                args);
        };
    }

    Service& instance_here() {
        if (!local_is_initialized()) {
            throw no_sharded_instance_exception(typeid(Service));
        }
        return local();
    }

    template <typename Func>
    future<> on_instances(const Func& func) noexcept {
        return smp::invoke_on(instances(), func);
    }

    // Has call_creators() call, on each shard, what the function returns that it is given.
    template <typename CallCreators>
    future<> start_with(unsigned count, CallCreators call_creators) noexcept {
        MINISS_ASSERT(_slots.empty());  // Otherwise: started, and not stopped.
        _slots.resize(count);
        const auto create = [this]<typename... Args>(Args&&... args) {
            return [this, args = std::tuple<std::decay_t<Args>...>(
                              std::forward<Args>(args)...)]() mutable { create_here(args); };
        };
        return futurize_invoke(call_creators, create).then_wrapped([this](future<> started) {
            if (!started.failed()) {
                return started;
            }
            return stop().then_wrapped([started = std::move(started)](future<> stopped) mutable {
                stopped.ignore_ready_future();
                return std::move(started);
            });
        });
    }

    template <typename... Args>
    void create_here(std::tuple<Args...>& args) {
        slot& here = _slots[this_shard_id()];
        here.service = std::apply(
            [](Args&... each) {
                return std::make_shared<Service>(internal::local_argument(each)...);
            },
            args);
        if constexpr (is_peering) {
            here.service->_container = this;
        }
    }

    future<> stop_here() noexcept {
        if constexpr (requires(Service & service) { service.stop(); }) {
            if (local_is_initialized()) {
                return futurize_invoke([this] { return local().stop(); });
            }
        }
        return make_ready_future<>();
    }

    future<> destroy_all() noexcept {
        return repeat([this, left = static_cast<unsigned>(_slots.size())]() mutable {
                   if (left == 0) {
                       return make_ready_future<stop_iteration>(stop_iteration::yes);
                   }
                   return smp::submit_to(--left, [this] { return destroy_here(); }).then([] {
                       return stop_iteration::no;
                   });
               })
            .then([this] { _slots.clear(); });
    }

    future<> destroy_here() noexcept {
        slot& here = _slots[this_shard_id()];
        if constexpr (is_async) {
            if (here.service != nullptr) {
                auto freed = here.freed.get_future();
                here.service->_freed = &here.freed;
                here.service.reset();
                return freed;
            }
        }
        here.service.reset();
        return make_ready_future<>();
    }
};

}  // namespace miniss
