package dev.weft.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** Who may know whom. */
class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.weft");

    private static final String[] RUNTIME_API = {
        "dev.weft", "dev.weft.op..", "dev.weft.graph..", "dev.weft.spi..", "dev.weft.reference..", "dev.weft.runtime.."
    };
    private static final String[] MODELS = {
        "dev.weft.chat..",
        "dev.weft.generate..",
        "dev.weft.grammar..",
        "dev.weft.io..",
        "dev.weft.model..",
        "dev.weft.plan..",
        "dev.weft.text.."
    };

    @Test
    void runtimeApiKnowsNeitherModelsNorBackends() {
        noClasses()
                .that()
                .resideInAnyPackage(RUNTIME_API)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.weft.arrow..",
                        "dev.weft.chat..",
                        "dev.weft.generate..",
                        "dev.weft.grammar..",
                        "dev.weft.io..",
                        "dev.weft.model..",
                        "dev.weft.plan..",
                        "dev.weft.text..",
                        "dev.weft.backend..",
                        "dev.weft.natives..",
                        "dev.weft.conformance..",
                        "dev.weft.bench..",
                        "dev.weft.verify..",
                        "dev.weft.cli..")
                .check(CLASSES);
    }

    @Test
    void modelsNameNoVendor() {
        noClasses()
                .that()
                .resideInAnyPackage(MODELS)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.weft.ranks..",
                        "dev.weft.arrow..",
                        "dev.weft.backend..",
                        "dev.weft.natives..",
                        "dev.weft.conformance..",
                        "dev.weft.bench..",
                        "dev.weft.verify..",
                        "dev.weft.cli..")
                .check(CLASSES);
    }

    @Test
    void backendsKnowNoModel() {
        noClasses()
                .that()
                .resideInAnyPackage("dev.weft.backend..", "dev.weft.natives..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.weft.arrow..",
                        "dev.weft.chat..",
                        "dev.weft.generate..",
                        "dev.weft.grammar..",
                        "dev.weft.io..",
                        "dev.weft.model..",
                        "dev.weft.plan..",
                        "dev.weft.text..",
                        "dev.weft.conformance..",
                        "dev.weft.bench..",
                        "dev.weft.verify..",
                        "dev.weft.cli..")
                .check(CLASSES);
    }

    @Test
    void ranksKnowNeitherModelsNorBackends() {
        noClasses()
                .that()
                .resideInAPackage("dev.weft.ranks..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(MODELS)
                .orShould()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.weft.backend..", "dev.weft.natives..", "dev.weft.cli..")
                .check(CLASSES);
    }

    @Test
    void arrowKnowsTheRuntimeAlone() {
        noClasses()
                .that()
                .resideInAPackage("dev.weft.arrow..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(MODELS)
                .orShould()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.weft.backend..",
                        "dev.weft.natives..",
                        "dev.weft.conformance..",
                        "dev.weft.bench..",
                        "dev.weft.cli..")
                .check(CLASSES);
    }

    @Test
    void packagesOfTheRuntimeLookUpwardOnly() {
        String[] order = {
            "dev.weft",
            "dev.weft.op..",
            "dev.weft.graph..",
            "dev.weft.spi..",
            "dev.weft.reference..",
            "dev.weft.runtime.."
        };
        for (int i = 0; i < order.length; i++) {
            for (int j = i + 1; j < order.length; j++) {
                noClasses()
                        .that()
                        .resideInAPackage(order[i])
                        .should()
                        .dependOnClassesThat()
                        .resideInAPackage(order[j])
                        .check(CLASSES);
            }
        }
    }
}
