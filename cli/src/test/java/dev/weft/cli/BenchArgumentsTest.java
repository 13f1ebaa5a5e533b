package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DeviceId;
import dev.weft.RequestException;
import dev.weft.spi.DeviceInfo;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What benchmarks are not asked for. */
class BenchArgumentsTest {
    /** Shapes that no machine holds are refused before anything is made of them. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "piece experts --m 2147483647                        | experts: found m=2147483647, expected at most 1048576",
                "layer --batch 2147483647 --context 255              | found sequences=2147483647 tokens=1 context=256",
                "layer --batch 65536 --tokens 65536 --context 0      | which are 4294967296 rows",
            })
    void whatCannotBeNumberedIsRefused(String line, String message) {
        Run run = Run.of((Object[]) ("bench " + line.strip() + " --model tiny").split(" +"));
        assertThat(run.code()).as(run.err()).isEqualTo(1);
        assertThat(run.err()).contains(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bench                             | a form of bench is missing",
                "bench conv                        | no command 'conv', expected one of gemm, op, piece, layer, model",
                "bench gemm --weights int2         | --weights: found 'int2', expected one of mxfp4",
                "bench gemm --activations mxfp4    | --activations: found 'mxfp4', expected one of fp8",
                "bench gemm --m 0                  | --m: found 0",
                "bench gemm --k 33                 | --k: found 33, expected a multiple of 32",
                "bench gemm --k 96                 | --k: found 96, expected a multiple of 128",
                "bench gemm --n -1                 | --n: found -1",
                "bench gemm --weights ,            | --weights: found none, expected one or more",
                "bench gemm --m ,                  | --m: found none",
                "bench gemm --rounds 0             | --rounds: found 0",
                "bench gemm --threads -1           | --threads: found -1",
                "bench gemm --m many               | 'many' is not an int",
                "bench gemm --weight-bytes 9223372036854775807 | --weight-bytes: found 9223372036854775807, expected at most",
                "bench gemm --weight-bytes -1      | --weight-bytes: found -1",
                "bench op                          | NAME",
                "bench op conv2d --model tiny      | NAME: found 'conv2d', expected one of ",
                "bench op gemm --all               | mutually exclusive",
                "bench op gemm --m 0               | --m: found 0",
                "bench layer --kind csa,dense      | --kind: found 'dense', expected one of window, csa, hca",
                "bench layer --batch 0             | --batch: found 0",
                "bench piece                       | NAME",
                "bench layer --kind ,              | --kind: found none",
                "bench layer --batch ,             | --batch: found none",
                "bench layer --tokens ,            | --tokens: found none",
                "bench piece ,                     | NAME: found none",
                "bench piece hyper --m ,           | --m: found none",
                "bench piece topk,conv             | NAME: found 'conv', expected one of experts, fp8-experts, attention",
                "bench piece topk --m 1,0          | --m: found 0",
                "bench layer --model huge          | --model: found 'huge'",
                "bench layer --tokens 0            | --tokens: found 0",
                "bench layer --context -1          | --context: found -1",
                "bench layer --context 1048576     | --context: found 1048576, expected 0 to 1048575",
                "bench exchange                    | bench exchange: found one process, expected ranks",
                "bench exchange --tokens 0         | --tokens: found 0",
                "bench exchange --model huge       | --model: found 'huge'",
                "bench layer --spread head         | --spread: found one process, expected ranks",
                "bench model                       | MODEL",
                "bench model no-such-model         | MODEL: no-such-model: no such folder",
                "bench model . --prompt -1         | --prompt: found -1",
                "bench model . -p 0 -n 0           | -p, -n: found 0 of both",
                "bench model . -pg 5               | -pg: found '5'",
                "bench model . -o xml              | -o: found 'xml', expected one of table, md, csv, json, jsonl",
                "bench model . --output a.txt      | --output: found 'txt'",
                "bench model . --arrow no/a.arrow  | --arrow: found no/a.arrow",
                "bench diff a.json b.json          | a.json: no such file",
                "bench model . --batch 0           | --batch: found 0",
                "bench model . --spread heads      | --spread: found 'heads', expected head, output, both also with =N",
                "bench model . --spread head,head=2 | --spread: found 'head=2' besides another of its kind, expected one",
                "bench model . --spread head       | --spread: found one process, expected ranks",
            })
    void badArgumentsAreUsageErrors(String line, String message) {
        Run run = Run.of((Object[]) line.strip().split(" +"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).startsWith("weft: ").contains(message);
    }

    @Test
    void emulatorsHaveNoTimes() {
        DeviceInfo emulated = new DeviceInfo(DeviceId.parse("ascend:0"), "CANN emulator", "emulator", 0, List.of());
        assertThatThrownBy(() -> BenchOptions.requireHardware(emulated))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("ascend:0", "tier emulator");
    }

    @Test
    void anUnknownDeviceFails() {
        Run run = Run.of("bench", "gemm", "--device", "tpu:0");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("device tpu:0: no such backend");
    }
}
