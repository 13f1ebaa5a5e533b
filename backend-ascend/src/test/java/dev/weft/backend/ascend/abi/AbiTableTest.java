package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class AbiTableTest {
    private static final Pattern WORD = Pattern.compile("(?<type>.*[\\s*])(?<name>\\w+)");

    /** The rule as the table's own comments state it, written a second time: one letter for one argument class. */
    private static char expected(String type) {
        String plain = type.replaceAll("\\bconst\\b", "").trim();
        if (plain.endsWith("*")) {
            return 'P';
        }
        if (plain.matches("aclrt(Stream|Context|Event|BinHandle|FuncHandle|ArgsHandle|Binary|DrvMemHandle|ParamHandle"
                + "|TaskGrp|MemPool|Callback|HostFunc|ExceptionInfoCallback|OpExceptionCallback)"
                + "|HcclComm|aclmdlRI|aclInitCallbackFunc")) {
            return 'P';
        }
        return switch (plain) {
            case "void" -> 'V';
            case "bool" -> 'Z';
            case "int8_t", "uint8_t" -> 'B';
            case "uint16_t", "aclFloat16" -> 'S';
            case "int64_t", "uint64_t", "size_t" -> 'J';
            case "float" -> 'F';
            case "double" -> 'D';
            case "dim3" -> '3';
            case "HcclConfigValue" -> 'U';
            case "int", "int32_t", "uint32_t" -> 'I';
            default -> {
                assertThat(plain).as("a by-value name that is no enum of CANN").matches("(acl|Hccl)[A-Z]?\\w*");
                yield 'I';
            }
        };
    }

    private static char actual(MemoryLayout layout) {
        return switch (layout) {
            case ValueLayout.OfBoolean b -> 'Z';
            case ValueLayout.OfByte b -> 'B';
            case ValueLayout.OfShort s -> 'S';
            case ValueLayout.OfInt i -> 'I';
            case ValueLayout.OfLong l -> 'J';
            case ValueLayout.OfFloat f -> 'F';
            case ValueLayout.OfDouble d -> 'D';
            case AddressLayout a -> 'P';
            case GroupLayout g -> g.byteSize() == 12 ? '3' : 'U';
            default -> '?';
        };
    }

    private static String actual(FunctionDescriptor descriptor) {
        StringBuilder letters = new StringBuilder();
        letters.append(descriptor.returnLayout().map(AbiTableTest::actual).orElse('V'));
        descriptor.argumentLayouts().forEach(l -> letters.append(actual(l)));
        return letters.toString();
    }

    private static List<String[]> rows() throws IOException {
        try (InputStream in = AbiTable.class.getResourceAsStream("cann-abi.tsv")) {
            assertThat(in).isNotNull();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(l -> !l.startsWith("#") && !l.startsWith("library\t"))
                    .map(l -> l.split("\t", -1))
                    .toList();
        }
    }

    @Test
    void everyDescriptorIsItsRow() throws IOException {
        List<String[]> rows = rows();
        assertThat(AbiTable.load().functions()).hasSameSizeAs(rows).hasSizeGreaterThan(690);
        Map<String, Integer> seen = new HashMap<>();
        for (String[] row : rows) {
            boolean vendor = row[0].contains("cust");
            AbiFunction function = AbiTable.load().function(row[1] + (vendor ? "@vendor" : ""));
            seen.merge(function.key(), 1, Integer::sum);
            StringBuilder letters = new StringBuilder().append(expected(row[2]));
            List<String> names = new ArrayList<>();
            for (String parameter : row[3].equals("void") ? new String[0] : row[3].split(";")) {
                Matcher m = WORD.matcher(parameter.trim());
                assertThat(m.matches()).as(row[1] + ": " + parameter).isTrue();
                letters.append(expected(m.group("type")));
                names.add(m.group("name"));
            }
            assertThat(actual(function.descriptor())).as(row[1]).isEqualTo(letters.toString());
            assertThat(function.parameters().stream().map(AbiParameter::name)).isEqualTo(names);
            assertThat(function.vendor()).isEqualTo(vendor);
            assertThat(function.confidence()).isEqualTo(row[6]);
        }
        assertThat(seen.values()).as("each row once").containsOnly(1);
    }

    @Test
    void formsOfOneSymbolAreApart() {
        AbiFunction own = AbiTable.load().function("aclnnCompressorGetWorkspaceSize");
        AbiFunction vendor = AbiTable.load().function("aclnnCompressorGetWorkspaceSize@vendor");
        assertThat(own.vendor()).isFalse();
        assertThat(vendor.vendor()).isTrue();
        assertThat(own.descriptor()).isNotEqualTo(vendor.descriptor());
        assertThat(AbiTable.load().function("aclnnHcPre").vendor())
                .as("the vendor's only")
                .isTrue();
    }

    @Test
    void everyOperatorHasBothPhasesInOneForm() {
        AbiTable table = AbiTable.load();
        for (AbiFunction f : table.functions()) {
            boolean phaseTwo = f.note().startsWith("phase 2");
            assertThat(table.otherPhase(f).isPresent())
                    .as(f.key())
                    .isEqualTo(phaseTwo || f.note().startsWith("phase 1"));
            if (phaseTwo) {
                assertThat(actual(f.descriptor())).as(f.key()).isEqualTo("IPJPP");
            }
        }
    }

    @Test
    void structsByValueHaveTheirSize() {
        assertThat(CType.parse("dim3").layout().orElseThrow().byteSize()).isEqualTo(12);
        assertThat(CType.parse("HcclConfigValue").layout().orElseThrow().byteSize())
                .isEqualTo(4);
        assertThat(CType.parse("bool").layout().orElseThrow().byteSize()).isEqualTo(1);
        assertThat(CType.parse("void").layout()).isEmpty();
        assertThat(CType.parse("const aclTensor* const*").kind()).isEqualTo(CType.Kind.POINTER);
    }

    @Test
    void badRowsAreNamed() {
        assertThatThrownBy(() -> AbiTable.parse(List.of("# text", "only\tthree\tcells")))
                .hasMessageContaining("line 2")
                .hasMessageContaining("3 columns");
        assertThatThrownBy(() -> AbiTable.parse(List.of("l.so\tf\tvoid\tmystery x\tnow\ts\tc\t")))
                .hasMessageContaining("mystery");
        String row = "l.so\tf\tvoid\tint x\tnow\ts\tc\t";
        assertThatThrownBy(() -> AbiTable.parse(List.of(row, row))).hasMessageContaining("twice");
        assertThatThrownBy(() -> AbiTable.load().function("aclnnNoSuch")).hasMessageContaining("aclnnNoSuch");
    }
}
