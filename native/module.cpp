// The Python face of the kernels: steelyard._native.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "buffer.hpp"
#include "softmax.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace steelyard;

namespace {

using Input = nb::ndarray<const float, nb::device::cpu>;
using Output = nb::ndarray<float, nb::device::cpu>;

template <class E, std::size_t K>
E named(const char* what, const std::array<const char*, K>& names, const std::string& name) {
    for (std::size_t i = 0; i < K; ++i)
        if (name == names[i]) return static_cast<E>(i);
    throw std::invalid_argument(std::string("unknown ") + what + ": " + name);
}

Isa isa_named(const std::string& name) {
    if (name == "auto") return best_isa();
    const Isa isa = named<Isa>("isa", isa_names, name);
    if (const std::string reason = missing(isa); !reason.empty()) throw std::runtime_error(name + ": " + reason);
    return isa;
}

bool is_streaming(const std::string& stores) {
    return named<int>("stores", std::array<const char*, 2>{"normal", "streaming"}, stores) == 1;
}

// Rows of an array of one or two dimensions whose last axis is contiguous.
template <class A>
struct Rows {
    typename A::Scalar* data;
    std::size_t rows, n;
    std::ptrdiff_t stride;

    explicit Rows(const A& a) : data(a.data()), rows(1), n(0), stride(0) {
        if (a.ndim() != 1 && a.ndim() != 2) throw std::invalid_argument("one or two dimensions are needed");
        const std::size_t last = a.ndim() - 1;
        n = a.shape(last);
        if (n > 1 && a.stride(last) != 1) throw std::invalid_argument("the last axis must be contiguous");
        if (reinterpret_cast<std::uintptr_t>(data) % sizeof(float)) throw std::invalid_argument("floats must be aligned");
        if (last == 1) rows = a.shape(0), stride = static_cast<std::ptrdiff_t>(a.stride(0));
    }
};

struct Softmax {
    Plan plan;

    Softmax(const std::string& algorithm, const std::string& isa, const std::string& stores, int threads, bool sound,
            bool flush)
        : plan{named<Algorithm>("algorithm", algorithm_names, algorithm), isa_named(isa), is_streaming(stores), sound,
               flush, threads} {
        if (threads < 1) throw std::invalid_argument("threads must be at least 1");
    }

    void operator()(const Input& x, const Output& out) const {
        const Rows<Input> from(x);
        const Rows<Output> to(out);
        if (from.rows != to.rows || from.n != to.n || x.ndim() != out.ndim())
            throw std::invalid_argument("x and out must have the same shape");
        const nb::gil_scoped_release release;
        softmax(plan, from.data, from.stride, to.data, to.stride, from.rows, from.n);
    }
};

double run_one_pass(const std::string& pass, const Input& x, const Output& out, const Input& second,
                    const std::string& isa, const std::string& stores, bool sound, float shift, float scale) {
    const Plan plan{Algorithm::two_pass, isa_named(isa), is_streaming(stores), sound, true, 1};
    const Pass which = named<Pass>("pass", pass_names, pass);
    const Rows<Input> from(x);
    PassArguments a{from.data, nullptr, nullptr, from.n, shift, scale};
    const bool writes = which == Pass::store || which == Pass::write || which == Pass::multiply ||
                        which == Pass::extended_write || which == Pass::copy || which == Pass::triad;
    if (writes) {
        if (!out.is_valid() || Rows<Output>(out).n != from.n) throw std::invalid_argument("this pass needs an out of x's length");
        a.y = out.data();
    }
    if (which == Pass::triad) {
        if (!second.is_valid() || Rows<Input>(second).n != from.n) throw std::invalid_argument("triad needs a second input");
        a.b = second.data();
    }
    const nb::gil_scoped_release release;
    return run_pass(plan, which, a);
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Softmax and STREAM kernels in float32, chosen at run time by instruction set.";

    nb::class_<Softmax>(m, "Softmax", "One softmax algorithm with its options; call it as f(x, out).")
        .def(nb::init<const std::string&, const std::string&, const std::string&, int, bool, bool>(), "algorithm"_a,
             "isa"_a = "auto", "stores"_a = "normal", "threads"_a = 1, "sound"_a = true, "flush"_a = true)
        .def("__call__", &Softmax::operator(), "x"_a.noconvert(), "out"_a.noconvert(),
             "Write softmax over the last axis of float32 x, shape (N,) or (B, N), into out of the same shape.")
        .def_prop_ro("isa", [](const Softmax& s) { return isa_names[static_cast<int>(s.plan.isa)]; });

    m.def("run_pass", &run_one_pass, "name"_a, "x"_a.noconvert(), "out"_a.noconvert().none() = nb::none(),
          "second"_a.noconvert().none() = nb::none(), "isa"_a = "auto", "stores"_a = "normal", "sound"_a = true,
          "shift"_a = 0.0f, "scale"_a = 1.0f, "Run one pass, or one STREAM kernel, alone over one row.");

    m.def("isas", [] {
        nb::dict all;
        for (std::size_t i = 0; i < isa_names.size(); ++i) all[isa_names[i]] = missing(static_cast<Isa>(i));
        return all;
    }, "Instruction set -> '' where it runs here, else the reason it does not.");
    m.def("best_isa", [] { return isa_names[static_cast<int>(best_isa())]; });
    m.def("cpu_name", &cpu_name);
    m.def("passes", [] { return std::vector<std::string>(pass_names.begin(), pass_names.end()); });

    m.def("candidates", [](const std::string& pass, const std::string& isa) {
        const Isa i = isa_named(isa);
        const Pass which = named<Pass>("pass", pass_names, pass);
        const Table& t = table_of(i);
        std::vector<std::pair<int, int>> all;
        for (int k = 0; k < candidate_count(i, which); ++k)
            if (which == Pass::online)
                all.emplace_back(blocks[k], 1);
            else if (candidate_count(i, which) == t.reduction_count)
                all.emplace_back(t.reductions[k].elements, t.reductions[k].accumulators);
            else
                all.emplace_back(t.maps[k].elements, 1);
        return all;
    }, "name"_a, "isa"_a, "(elements per step, accumulators) of every compiled candidate of a pass.");

    m.def("choice", [](const std::string& pass, const std::string& isa, const std::string& regime,
                       const std::string& stores) {
        const Choice c = choice(isa_named(isa), named<Regime>("regime", regime_names, regime),
                                named<Pass>("pass", pass_names, pass), is_streaming(stores));
        return std::pair(c.candidate, c.ahead);
    }, "name"_a, "isa"_a, "regime"_a, "stores"_a, "(candidate, prefetch bytes) that a pass uses now.");

    m.def("choose", [](const std::string& pass, const std::string& isa, const std::string& regime,
                       const std::string& stores, int candidate, int ahead) {
        const Isa i = isa_named(isa);
        const Pass which = named<Pass>("pass", pass_names, pass);
        if (candidate < 0 || candidate >= candidate_count(i, which) || ahead < 0)
            throw std::invalid_argument("no such candidate");
        choice(i, named<Regime>("regime", regime_names, regime), which, is_streaming(stores)) = {candidate, ahead};
    }, "name"_a, "isa"_a, "regime"_a, "stores"_a, "candidate"_a, "ahead"_a, "Make a pass use another candidate.");

    m.def("buffer", [](std::size_t count) {
        float* p = allocate_floats(count);
        const nb::capsule owner(p, [](void* q) noexcept { std::free(q); });
        return nb::ndarray<nb::numpy, float, nb::ndim<1>>(p, {count}, owner);
    }, "count"_a, "A zeroed float32 array, 64-byte aligned; from 2 MiB on huge pages where the system grants them.");
}
