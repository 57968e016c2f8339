//! What parameters mean, and what is said about wrong ones.

mod sets;

use index::{Element, Error, Kind, Metric, Spec};
use sets::pairs;

/// An element, parameters, and what is said about them.
type Case<'a> = (Element, &'a [(&'a str, &'a str)], &'a str);

fn parse(element: Element, params: &[(&str, &str)]) -> Result<Spec, Error> {
    Spec::parse(element, if element == Element::Sparse { 0 } else { 64 }, &pairs(params))
}

#[test]
fn mistakes_are_worded_once() {
    let cases: &[Case<'_>] = &[
        (
            Element::F32,
            &[("index_type", "SVS_VAMANA_LEANVEC"), ("metric_type", "L2")],
            "invalid index type: SVS_VAMANA_LEANVEC",
        ),
        (
            Element::F32,
            &[("index_type", "FAISS"), ("metric_type", "L2")],
            "missing parameter[missing_param=faiss_index_name]",
        ),
        (
            Element::F32,
            &[("index_type", "FAISS"), ("metric_type", "L2"), ("faiss_index_name", "LSH")],
            "invalid faiss_index_name: LSH, should be Flat, IVFn or HNSWn with Flat, SQ4, SQ6, SQ8, PQm or PQmxb, IVFn with RaBitQ \
             or RaBitQfs, BFlat, BIVFn or BHNSWn",
        ),
        (
            Element::F32,
            &[("index_type", "NSG"), ("metric_type", "L2"), ("out_degree", "1")],
            "1 out of range 2 <= M <= 2048",
        ),
        (Element::F32, &[("index_type", "hnsw"), ("metric_type", "L2")], "invalid index type: hnsw"),
        (Element::F32, &[("index_type", "HNSW")], "metric type not set for vector index"),
        (
            Element::F32,
            &[("index_type", "HNSW"), ("metric_type", "HAMMING")],
            "metric type HAMMING not found or not supported, supported: [L2 IP COSINE]",
        ),
        (
            Element::Bits,
            &[("metric_type", "L2")],
            "metric type L2 not found or not supported, supported: [HAMMING JACCARD]",
        ),
        (Element::Bits, &[("index_type", "IVF_FLAT")], "index IVF_FLAT does not support binary vectors"),
        (Element::F32, &[("index_type", "BIN_FLAT")], "index BIN_FLAT does not support float vectors"),
        (
            Element::F32,
            &[("index_type", "HNSW"), ("metric_type", "L2"), ("M", "1")],
            "1 out of range 2 <= M <= 2048",
        ),
        (
            Element::F32,
            &[("index_type", "IVF_FLAT"), ("metric_type", "L2"), ("nlist", "\"65537\"")],
            "65537 out of range 1 <= nlist <= 65536",
        ),
        (
            Element::F32,
            &[("index_type", "IVF_FLAT"), ("metric_type", "L2"), ("nlist", "many")],
            "invalid integer value, key: 'nlist', value: 'many'",
        ),
        (Element::F32, &[("M", "16")], "only metric type can be passed when use AutoIndex, not M"),
        (
            Element::F32,
            &[("index_type", "IVF_PQ"), ("metric_type", "L2"), ("m", "5")],
            "dimension must be able to be divided by `m`, dimension: 64, m: 5",
        ),
        (
            Element::F32,
            &[("index_type", "IVF_PQ"), ("metric_type", "L2")],
            "missing parameter[missing_param=m]",
        ),
        (
            Element::F32,
            &[("index_type", "IVF_PQ"), ("metric_type", "L2"), ("m", "4"), ("nbits", "25")],
            "25 out of range 1 <= nbits <= 24",
        ),
        (
            Element::F32,
            &[("index_type", "HNSW_SQ"), ("metric_type", "L2"), ("sq_type", "SQ5")],
            "invalid sq_type value: 'SQ5', should be one of [SQ4U, SQ6, SQ8, BF16, FP16]",
        ),
        (
            Element::F32,
            &[("index_type", "HNSW_SQ"), ("metric_type", "L2"), ("refine", "perhaps")],
            "invalid bool value, key: 'refine', value: 'perhaps'",
        ),
        (
            Element::I8,
            &[("index_type", "FLAT"), ("metric_type", "L2")],
            "index FLAT does not support int8 vectors",
        ),
        (
            Element::F32,
            &[("index_type", "GPU_CAGRA"), ("metric_type", "L2")],
            "invalid index type: GPU_CAGRA",
        ),
    ];
    for (element, params, text) in cases {
        assert_eq!(parse(*element, params).unwrap_err().to_string(), *text);
    }
    assert!(matches!(Spec::parse(Element::Bits, 12, &[]), Err(Error::Dimension { dim: 12, .. })));
    assert!(matches!(Spec::parse(Element::F32, 0, &[]), Err(Error::Dimension { dim: 0, .. })));
}

#[test]
fn what_is_built() {
    let effective = |element, params: &[(&str, &str)]| {
        let spec = parse(element, params).unwrap();
        let values = spec.effective().into_iter().map(|(name, value)| format!("{name}={value}"));
        (spec.index_type(), values.collect::<Vec<_>>().join(" "))
    };
    let auto = ("AUTOINDEX", "index_type=HNSW metric_type=COSINE M=16 efConstruction=240".to_owned());
    assert_eq!(effective(Element::F32, &[]), auto);
    assert_eq!(effective(Element::F32, &[("index_type", "AUTOINDEX"), ("mmap.enabled", "true")]), auto);
    let binary = ("AUTOINDEX", "index_type=BIN_IVF_FLAT metric_type=JACCARD nlist=1024".to_owned());
    assert_eq!(effective(Element::Bits, &[("metric_type", "jaccard")]), binary);
    let quoted =
        [("index_type", "HNSW"), ("metric_type", "l2"), ("M", "\"48\""), ("efConstruction", " 100 ")];
    let hnsw = ("HNSW", "index_type=HNSW metric_type=L2 M=48 efConstruction=100".to_owned());
    assert_eq!(effective(Element::F32, &quoted), hnsw);
    assert_eq!(parse(Element::F32, &[]).unwrap().kind(), Kind::AutoIndex);
    let sq = [("index_type", "HNSW_SQ"), ("metric_type", "IP"), ("sq_type", "sq4u"), ("refine", "True")];
    let text = "index_type=HNSW_SQ metric_type=IP M=30 efConstruction=360 sq_type=SQ4U refine=true";
    assert_eq!(effective(Element::F16, &sq), ("HNSW_SQ", text.to_owned()));
    let text = "index_type=SPARSE_INVERTED_INDEX metric_type=IP inverted_index_algo=SINDI";
    assert_eq!(effective(Element::Sparse, &[]), ("AUTOINDEX", text.to_owned()));
    let text = "index_type=MINHASH_LSH metric_type=MHJACCARD mh_lsh_band=1 mh_element_bit_width=8";
    let (name, signature) = effective(Element::Bits, &[("metric_type", "MHJACCARD")]);
    assert!(name == "AUTOINDEX" && signature.starts_with(text), "{signature}");
}

#[test]
fn what_is_asked() {
    let hnsw = parse(Element::F32, &[("index_type", "HNSW"), ("metric_type", "L2")]).unwrap();
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("ef", "9")], "ef(9) should be larger than k(10)"),
        (&[("ef", "0")], "0 out of range 1 <= ef <= 2147483647"),
        (&[("ef", "x")], "invalid integer value, key: 'ef', value: 'x'"),
        (&[("radius", "far")], "invalid float value, key: 'radius', value: 'far'"),
        (&[("range_filter", "1")], "missing parameter[missing_param=radius]"),
        (
            &[("range_filter", "2"), ("radius", "1.5")],
            "range_filter(2) must be less than radius(1.5) for metric type L2",
        ),
        (&[("metric_type", "IP")], "metric type not match: invalid parameter[expected=L2][actual=IP]"),
    ];
    for (params, text) in cases {
        assert_eq!(hnsw.query(10, &pairs(params)).unwrap_err().to_string(), *text);
    }
    assert!(hnsw.query(0, &[]).is_err());
    let said = |kind: &str, own: &[(&str, &str)], params: &[(&str, &str)]| {
        let mut names = vec![("index_type", kind), ("metric_type", "L2")];
        names.extend(own);
        parse(Element::F32, &names).unwrap().query(10, &pairs(params)).unwrap_err().to_string()
    };
    assert_eq!(said("SCANN", &[], &[("reorder_k", "9")]), "reorder_k(9) should be larger than k(10)");
    assert_eq!(said("DISKANN", &[], &[("search_list", "9")]), "search_list(9) should be larger than k(10)");
    let refine = said("IVF_PQ", &[("m", "8")], &[("refine_k", "0.5")]);
    assert!(refine.starts_with("0.5 out of range 1 <= refine_k"), "{refine}");
    for name in ["rbq_query_bits", "rbq_bits_query"] {
        let text = said("IVF_RABITQ", &[], &[(name, "9")]);
        assert_eq!(text, "9 out of range 0 <= rbq_bits_query <= 8");
    }
    let fine =
        [("ef", "10"), ("nprobe", "nonsense of another kind"), ("metric_type", "l2"), ("radius", "3.5")];
    let query = hnsw.query(10, &pairs(&fine)).unwrap();
    assert_eq!((query.k(), query.radius(), query.range_filter()), (10, Some(3.5), None));
    let ip = parse(Element::F32, &[("index_type", "FLAT"), ("metric_type", "IP")]).unwrap();
    assert!(ip.query(1, &pairs(&[("radius", "0.2"), ("range_filter", "0.9")])).is_ok());
    assert!(ip.query(1, &pairs(&[("radius", "0.9"), ("range_filter", "0.2")])).is_err());
    assert_eq!(ip.metric(), Metric::Ip);
}

#[test]
fn names_of_other_versions_and_libraries() {
    let cases: &[(&str, &str, &str)] = &[
        ("ANNOY", "n_trees=8", "HNSW L2 M=30 efConstruction=360"),
        ("RHNSW_FLAT", "M=16 efConstruction=40", "HNSW L2 M=16 efConstruction=40"),
        ("RHNSW_SQ", "M=16 efConstruction=40", "HNSW_SQ L2 M=16 efConstruction=40 sq_type=SQ8 refine=false"),
        (
            "RHNSW_PQ",
            "M=16 efConstruction=40 PQM=8",
            "HNSW_PQ L2 M=16 efConstruction=40 m=8 nbits=8 refine=false",
        ),
        ("NSG", "out_degree=20 candidate_pool_size=80", "HNSW L2 M=20 efConstruction=80"),
        ("IVF_HNSW", "nlist=64 M=16 efConstruction=40", "IVF_FLAT L2 nlist=64"),
        ("SVS_VAMANA", "svs_graph_max_degree=64", "HNSW L2 M=32 efConstruction=360"),
        (
            "SVS_VAMANA_LVQ",
            "svs_storage_kind=lvq4x0",
            "HNSW_SQ L2 M=30 efConstruction=360 sq_type=SQ4U refine=false",
        ),
        ("SVS_IVF", "", "IVF_FLAT L2 nlist=1000"),
        ("FAISS", "faiss_index_name=IVF77,PQ8x4fs,RFlat", "IVF_PQ L2 nlist=77 m=8 nbits=4 refine=false"),
        ("FAISS", "faiss_index_name=HNSW24", "HNSW L2 M=24 efConstruction=360"),
        (
            "FAISS",
            "faiss_index_name=HNSW24,SQ8",
            "HNSW_SQ L2 M=24 efConstruction=360 sq_type=SQ8 refine=false",
        ),
        ("FAISS", "faiss_index_name=IVF5,RaBitQfs", "IVF_RABITQ_FASTSCAN L2 nlist=5 refine=false"),
    ];
    for (name, own, want) in cases {
        let mut params = vec![("index_type", *name), ("metric_type", "L2")];
        params.extend(own.split_whitespace().filter_map(|pair| pair.split_once('=')));
        let spec = parse(Element::F32, &params).unwrap();
        assert_eq!(spec.index_type(), *name);
        let effective = spec.effective();
        assert_eq!(effective.last().unwrap(), &("instead_of".to_owned(), (*name).to_owned()));
        let text = |(key, value): &(String, String)| match key.as_str() {
            "index_type" | "metric_type" => value.clone(),
            _ => format!("{key}={value}"),
        };
        let text: Vec<String> = effective[..effective.len() - 1].iter().map(text).collect();
        assert_eq!(text.join(" "), *want);
    }
    let binary = [("index_type", "FAISS"), ("metric_type", "HAMMING"), ("faiss_index_name", "BIVF9")];
    assert_eq!(parse(Element::Bits, &binary).unwrap().kind(), Kind::BinIvfFlat);
    // What they call the effort of a search counts, and is never below the number of results.
    let annoy = parse(Element::F32, &[("index_type", "ANNOY"), ("metric_type", "L2")]).unwrap();
    for effort in ["-1", "5", "500"] {
        annoy.query(10, &pairs(&[("search_k", effort)])).unwrap();
    }
    assert!(annoy.query(10, &pairs(&[("search_k", "far")])).is_err());
}
