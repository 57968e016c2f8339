// Filtered search of hnswlib and usearch without a call into Python for each row: a mask of one byte a row.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "hnswlib/hnswlib.h"
#include "usearch/index_dense.hpp"

namespace py = pybind11;
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
using Marks = py::array_t<uint8_t, py::array::c_style | py::array::forcecast>;
using Ids = py::array_t<int64_t>;

static Ids empty(py::ssize_t queries, py::ssize_t k) {
    Ids ids({queries, k});
    std::fill_n(ids.mutable_data(), queries * k, int64_t(-1));
    return ids;
}

struct Allowed : hnswlib::BaseFilterFunctor {
    const uint8_t* marks;
    explicit Allowed(const uint8_t* marks) : marks(marks) {}
    bool operator()(hnswlib::labeltype row) override { return marks[row] != 0; }
};

class Hnswlib {
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;

  public:
    Hnswlib(const std::string& path, size_t dim, bool is_l2) {
        if (is_l2) space = std::make_unique<hnswlib::L2Space>(dim);
        else space = std::make_unique<hnswlib::InnerProductSpace>(dim);
        index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), path);
    }

    Ids search(Floats queries, size_t k, size_t ef, Marks marks) {
        Ids ids = empty(queries.shape(0), k);
        Allowed allowed(marks.data());
        index->setEf(ef);
        for (py::ssize_t q = 0; q < queries.shape(0); ++q) {
            auto found = index->searchKnn(queries.data(q, 0), k, &allowed);
            for (size_t at = 0; !found.empty(); found.pop()) ids.mutable_at(q, at++) = int64_t(found.top().second);
        }
        return ids;
    }
};

class Usearch {
    unum::usearch::index_dense_t index;

    static unum::usearch::index_dense_t empty_index(size_t dim, bool is_l2, size_t links, size_t effort) {
        using namespace unum::usearch;
        metric_punned_t metric(dim, is_l2 ? metric_kind_t::l2sq_k : metric_kind_t::ip_k, scalar_kind_t::f32_k);
        return index_dense_t::make(metric, index_dense_config_t(links, effort, 64));
    }

    template <typename Result> static void check(Result&& result) {
        if (!result) throw std::runtime_error(result.error.release());
    }

  public:
    Usearch(const std::string& path, size_t dim, bool is_l2) : index(empty_index(dim, is_l2, 16, 200)) {
        check(index.load(path.c_str()));
        // Makes room for the searching thread, too.
        index.reserve(index.size());
    }

    static void build(const std::string& path, Floats rows, bool is_l2, size_t links, size_t effort) {
        auto index = empty_index(rows.shape(1), is_l2, links, effort);
        index.reserve(rows.shape(0));
        for (py::ssize_t row = 0; row < rows.shape(0); ++row) check(index.add(unum::usearch::default_key_t(row), rows.data(row, 0)));
        check(index.save(path.c_str()));
    }

    Ids search(Floats queries, size_t k, size_t ef, Marks marks) {
        Ids ids = empty(queries.shape(0), k);
        const uint8_t* allowed = marks.data();
        index.change_expansion_search(ef);
        std::vector<unum::usearch::default_key_t> keys(k);
        for (py::ssize_t q = 0; q < queries.shape(0); ++q) {
            auto found = index.filtered_search(queries.data(q, 0), k, [=](auto key) { return allowed[key] != 0; });
            size_t count = found.dump_to(keys.data());
            for (size_t at = 0; at < count; ++at) ids.mutable_at(q, at) = int64_t(keys[at]);
        }
        return ids;
    }
};

PYBIND11_MODULE(hnsw_filter, module) {
    py::class_<Hnswlib>(module, "Hnswlib").def(py::init<const std::string&, size_t, bool>()).def("search", &Hnswlib::search);
    py::class_<Usearch>(module, "Usearch").def(py::init<const std::string&, size_t, bool>()).def_static("build", &Usearch::build).def("search", &Usearch::search);
}
