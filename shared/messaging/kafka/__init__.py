"""The bus in Apache Kafka, where the work spans machines. What aiokafka may not do is in ADRs."""
