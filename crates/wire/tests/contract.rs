//! `contract.txt`, which people review, says exactly what `contract.fds`, which the build compiles, says.

use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

fn field(prefix: &str, field: &FieldDescriptorProto, lines: &mut Vec<String>) {
    let kind = field.r#type().as_str_name().trim_start_matches("TYPE_").to_lowercase();
    let label = field.label().as_str_name().trim_start_matches("LABEL_").to_lowercase();
    let line = format!("{prefix}.{} {} {label} {kind} {}", field.name(), field.number(), field.type_name());
    lines.push(line.trim_end().to_owned());
}

fn enumeration(prefix: &str, enumeration: &EnumDescriptorProto, lines: &mut Vec<String>) {
    for value in &enumeration.value {
        lines.push(format!("{prefix}.{}.{} = {}", enumeration.name(), value.name(), value.number()));
    }
}

fn message(prefix: &str, this: &DescriptorProto, lines: &mut Vec<String>) {
    let name = format!("{prefix}.{}", this.name());
    lines.push(format!("{name} message"));
    this.field.iter().for_each(|f| field(&name, f, lines));
    this.nested_type.iter().for_each(|nested| message(&name, nested, lines));
    this.enum_type.iter().for_each(|e| enumeration(&name, e, lines));
}

#[test]
fn the_listing_is_the_descriptors() {
    let set = FileDescriptorSet::decode(&include_bytes!("../contract.fds")[..]).unwrap();
    let mut lines = Vec::new();
    for file in set.file.iter().filter(|file| !file.name().starts_with("google/")) {
        assert!(file.source_code_info.is_none() && file.options.is_none(), "{} carries text", file.name());
        let package = file.package();
        file.message_type.iter().for_each(|m| message(package, m, &mut lines));
        file.enum_type.iter().for_each(|e| enumeration(package, e, &mut lines));
        file.extension.iter().for_each(|f| field(&format!("{package}[{}]", f.extendee()), f, &mut lines));
        for service in &file.service {
            for method in &service.method {
                let stream = |on| if on { "stream " } else { "" };
                lines.push(format!(
                    "{package}.{}/{} ({}{}) -> {}{}",
                    service.name(),
                    method.name(),
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type()
                ));
            }
        }
    }
    lines.sort();
    let listed: Vec<&str> = include_str!("../contract.txt").lines().collect();
    assert_eq!(lines.len(), listed.len());
    for (computed, listed) in lines.iter().zip(listed) {
        assert_eq!(computed, listed);
    }
}

#[test]
fn the_services_have_all_their_methods() {
    let listed = include_str!("../contract.txt");
    let count = |prefix: &str| listed.lines().filter(|line| line.starts_with(prefix)).count();
    assert_eq!(count("milvus.proto.milvus.MilvusService/"), 149);
    assert_eq!(count("milvus.proto.milvus.ClientTelemetryService/"), 4);
    assert_eq!(count("grpc.health.v1.Health/"), 2);
}
